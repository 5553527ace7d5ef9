#include "etcd_flags.h"

#include <algorithm>
#include <array>

namespace minigrpcd {

namespace {

constexpr std::string_view kCluster = "minigrpcd is a single member: for a cluster run etcd, and point clients at it";
constexpr std::string_view kNoV2 = "minigrpcd serves the v3 API alone";
constexpr std::string_view kNoTracing = "minigrpcd sends no traces";
constexpr std::string_view kNoRotation = "minigrpcd logs to the standard error: let the service manager rotate it";

constexpr std::array kEtcdFlags{
    // Of a member.
    EtcdFlag{"heartbeat-interval"},
    EtcdFlag{"election-timeout"},
    EtcdFlag{"initial-election-tick-advance", true},
    EtcdFlag{"listen-peer-urls"},
    EtcdFlag{"listen-client-http-urls"},
    EtcdFlag{"max-snapshots"},
    EtcdFlag{"max-wals"},
    EtcdFlag{"backend-bbolt-freelist-type"},
    EtcdFlag{"backend-batch-interval"},
    EtcdFlag{"backend-batch-limit"},
    EtcdFlag{"max-concurrent-streams"},
    EtcdFlag{"grpc-keepalive-min-time"},
    EtcdFlag{"grpc-keepalive-interval"},
    EtcdFlag{"grpc-keepalive-timeout"},
    EtcdFlag{"socket-reuse-port", true},
    EtcdFlag{"socket-reuse-address", true},
    EtcdFlag{"raft-read-timeout"},
    EtcdFlag{"raft-write-timeout"},
    EtcdFlag{"enable-v2", true, kNoV2},
    EtcdFlag{"v2-deprecation"},
    // Of a cluster.
    EtcdFlag{"initial-cluster-state"},
    EtcdFlag{"initial-cluster-token"},
    EtcdFlag{"strict-reconfig-check", true},
    EtcdFlag{"pre-vote", true},
    EtcdFlag{"discovery", false, kCluster},
    EtcdFlag{"discovery-fallback"},
    EtcdFlag{"discovery-proxy", false, kCluster},
    EtcdFlag{"discovery-srv", false, kCluster},
    EtcdFlag{"discovery-srv-name", false, kCluster},
    EtcdFlag{"discovery-token", false, kCluster},
    EtcdFlag{"discovery-endpoints", false, kCluster},
    EtcdFlag{"discovery-dial-timeout"},
    EtcdFlag{"discovery-request-timeout"},
    EtcdFlag{"discovery-keepalive-time"},
    EtcdFlag{"discovery-keepalive-timeout"},
    EtcdFlag{"discovery-insecure-transport", true},
    EtcdFlag{"discovery-insecure-skip-tls-verify", true},
    EtcdFlag{"discovery-cert", false, kCluster},
    EtcdFlag{"discovery-key", false, kCluster},
    EtcdFlag{"discovery-cacert", false, kCluster},
    EtcdFlag{"discovery-user", false, kCluster},
    EtcdFlag{"discovery-password", false, kCluster},
    EtcdFlag{"force-new-cluster", true, kCluster},
    EtcdFlag{"proxy", false, kCluster},
    EtcdFlag{"proxy-failure-wait"},
    EtcdFlag{"proxy-refresh-interval"},
    EtcdFlag{"proxy-dial-timeout"},
    EtcdFlag{"proxy-write-timeout"},
    EtcdFlag{"proxy-read-timeout"},
    // Between members; a single one has no such connections.
    EtcdFlag{"peer-cert-file"},
    EtcdFlag{"peer-key-file"},
    EtcdFlag{"peer-client-cert-auth", true},
    EtcdFlag{"peer-client-cert-file"},
    EtcdFlag{"peer-client-key-file"},
    EtcdFlag{"peer-trusted-ca-file"},
    EtcdFlag{"peer-crl-file"},
    EtcdFlag{"peer-auto-tls", true},
    EtcdFlag{"peer-cert-allowed-cn"},
    EtcdFlag{"peer-cert-allowed-hostname"},
    EtcdFlag{"peer-skip-client-san-verification", true},
    EtcdFlag{"experimental-peer-skip-client-san-verification", true},
    EtcdFlag{"client-cert-file"},
    EtcdFlag{"client-key-file"},
    EtcdFlag{"self-signed-cert-validity"},
    // Watching and logging.
    EtcdFlag{"enable-pprof", true},
    EtcdFlag{"metrics"},
    EtcdFlag{"logger"},
    EtcdFlag{"log-outputs"},
    EtcdFlag{"log-format"},
    EtcdFlag{"log-package-levels"},
    EtcdFlag{"enable-log-rotation", true, kNoRotation},
    EtcdFlag{"log-rotation-config-json", false, kNoRotation},
    EtcdFlag{"enable-distributed-tracing", true, kNoTracing},
    EtcdFlag{"distributed-tracing-address"},
    EtcdFlag{"distributed-tracing-service-name"},
    EtcdFlag{"distributed-tracing-instance-id"},
    EtcdFlag{"distributed-tracing-sampling-rate"},
    EtcdFlag{"experimental-enable-distributed-tracing", true, kNoTracing},
    EtcdFlag{"experimental-distributed-tracing-address"},
    EtcdFlag{"experimental-distributed-tracing-service-name"},
    EtcdFlag{"experimental-distributed-tracing-instance-id"},
    EtcdFlag{"experimental-distributed-tracing-sampling-rate"},
    // How etcd does its work; here it is done otherwise.
    EtcdFlag{"feature-gates"},
    EtcdFlag{"experimental-initial-corrupt-check", true},
    EtcdFlag{"experimental-corrupt-check-time"},
    EtcdFlag{"corrupt-check-time"},
    EtcdFlag{"experimental-compact-hash-check-enabled", true},
    EtcdFlag{"experimental-compact-hash-check-time"},
    EtcdFlag{"compact-hash-check-time"},
    EtcdFlag{"experimental-enable-v2v3", false, kNoV2},
    EtcdFlag{"experimental-enable-lease-checkpoint", true},
    EtcdFlag{"experimental-enable-lease-checkpoint-persist", true},
    EtcdFlag{"experimental-compaction-batch-limit"},
    EtcdFlag{"compaction-batch-limit"},
    EtcdFlag{"experimental-compaction-sleep-interval"},
    EtcdFlag{"compaction-sleep-interval"},
    EtcdFlag{"experimental-warning-apply-duration"},
    EtcdFlag{"warning-apply-duration"},
    EtcdFlag{"experimental-warning-unary-request-duration"},
    EtcdFlag{"warning-unary-request-duration"},
    EtcdFlag{"experimental-txn-mode-write-with-shared-buffer", true},
    EtcdFlag{"experimental-downgrade-check-time"},
    EtcdFlag{"downgrade-check-time"},
    EtcdFlag{"experimental-memory-mlock", true},
    EtcdFlag{"memory-mlock", true},
    EtcdFlag{"experimental-bootstrap-defrag-threshold-megabytes"},
    EtcdFlag{"bootstrap-defrag-threshold-megabytes"},
    EtcdFlag{"experimental-max-learners"},
    EtcdFlag{"max-learners"},
    EtcdFlag{"experimental-wait-cluster-ready-timeout"},
    EtcdFlag{"experimental-snapshot-catchup-entries"},
    EtcdFlag{"snapshot-catchup-entries"},
    EtcdFlag{"experimental-stop-grpc-service-on-defrag", true},
};

}  // namespace

std::span<const EtcdFlag> etcd_flags() { return kEtcdFlags; }

const EtcdFlag* find_etcd_flag(std::string_view name) {
  const auto found = std::ranges::find(kEtcdFlags, name, &EtcdFlag::name);
  return found == kEtcdFlags.end() ? nullptr : &*found;
}

bool asks_for_nothing(std::string_view value) {
  constexpr std::array<std::string_view, 5> kNothing{"", "false", "0", "off", "f"};
  return std::ranges::find(kNothing, value) != kNothing.end();
}

}  // namespace minigrpcd
