// The verbs, each family in its own file. Thread rule: main() makes them, once.
#pragma once

#include "command_line.h"

namespace minigrpc::cli {

// verb_kv.cc
Verb get_verb();
Verb put_verb();
Verb del_verb();
Verb compaction_verb();
// verb_txn.cc
Verb txn_verb();
// verb_watch.cc
Verb watch_verb();
// verb_lease.cc
Verb lease_grant_verb();
Verb lease_revoke_verb();
Verb lease_time_to_live_verb();
Verb lease_list_verb();
Verb lease_keep_alive_verb();
// verb_lock.cc
Verb lock_verb();
// verb_member.cc
Verb member_list_verb();
Verb member_add_verb();
Verb member_remove_verb();
Verb member_update_verb();
Verb member_promote_verb();
// verb_elect.cc
Verb elect_verb();
// verb_mirror.cc
Verb make_mirror_verb();
Verb migrate_verb();
// verb_check.cc
Verb check_perf_verb();
Verb check_datascale_verb();
// verb_completion.cc; both are borrowed until the verbs are gone
std::vector<Verb> completion_verbs(const std::vector<Verb>& all, const FlagSet& globals);
// verb_cluster.cc
Verb endpoint_status_verb();
Verb endpoint_health_verb();
Verb endpoint_hashkv_verb();
Verb version_verb();
// verb_snapshot.cc
Verb snapshot_save_verb();
Verb snapshot_status_verb();
Verb snapshot_restore_verb();
// verb_auth.cc: auth, user, role
std::vector<Verb> auth_verbs();
// verb_maintenance.cc
Verb alarm_list_verb();
Verb alarm_disarm_verb();
Verb defrag_verb();
Verb move_leader_verb();
// verb_services.cc
Verb services_verb();
// verb_call.cc
Verb call_verb();
// verb_bench.cc
Verb bench_verb();
// verb_channelz.cc
Verb channelz_verb();
// verb_describe.cc
Verb list_verb();
Verb describe_verb();

}  // namespace minigrpc::cli
