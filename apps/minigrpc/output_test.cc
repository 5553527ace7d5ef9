// What etcdctl 3.4 prints for the same answers.
#include "output.h"

#include <gtest/gtest.h>

#include <sstream>

namespace minigrpc::cli {
namespace {

const etcd::ResponseHeader kHeader{10144879847569953045u, 12428976124636271536u, 12, 2};
#define HEADER_JSON \
  "{\"cluster_id\":10144879847569953045,\"member_id\":12428976124636271536,\"revision\":12,\"raft_term\":2}"
#define HEADER_FIELDS                                                                          \
  "\"ClusterID\" : 10144879847569953045\n\"MemberID\" : 12428976124636271536\n\"Revision\" : " \
  "12\n\"RaftTerm\" : 2\n"

etcd::KeyValue key_value() {
  return {.key = "a", .value = "b", .create_revision = 2, .mod_revision = 11, .version = 9, .lease = 0};
}

template <class Print>
std::string printed(OutputOptions options, Print print) {
  std::ostringstream out;
  print(*make_printer(out, options));
  return out.str();
}

template <class Print>
void expect(Print print, std::string_view simple, std::string_view json, std::string_view fields) {
  EXPECT_EQ(printed({.format = OutputFormat::kSimple}, print), simple);
  EXPECT_EQ(printed({.format = OutputFormat::kJson}, print), json);
  EXPECT_EQ(printed({.format = OutputFormat::kFields}, print), fields);
}

TEST(Output, Put) {
  etcd::PutResponse response{.header = kHeader, .prev_kv = key_value()};
  expect([&](Printer& printer) { printer.put(response); }, "OK\na\nb\n",
         "{\"header\":" HEADER_JSON
         ",\"prev_kv\":{\"key\":\"YQ==\",\"create_revision\":2,\"mod_revision\":11,\"version\":9,\"value\":"
         "\"Yg==\"}}\n",
         HEADER_FIELDS
         "\"PrevKey\" : \"a\"\n\"PrevCreateRevision\" : 2\n\"PrevModRevision\" : 11\n\"PrevVersion\" : 9\n"
         "\"PrevValue\" : \"b\"\n\"PrevLease\" : 0\n");
}

TEST(Output, Range) {
  etcd::RangeResponse response{.header = kHeader, .kvs = {key_value()}, .more = false, .count = 1};
  expect([&](Printer& printer) { printer.range(response, RangeParts::kAll); }, "a\nb\n",
         "{\"header\":" HEADER_JSON
         ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":2,\"mod_revision\":11,\"version\":9,\"value\":\"Yg="
         "=\"}],"
         "\"count\":1}\n",
         HEADER_FIELDS
         "\"Key\" : \"a\"\n\"CreateRevision\" : 2\n\"ModRevision\" : 11\n\"Version\" : 9\n\"Value\" : \"b\"\n"
         "\"Lease\" : 0\n\"More\" : false\n\"Count\" : 1\n");
  EXPECT_EQ(printed({}, [&](Printer& printer) { printer.range(response, RangeParts::kValues); }), "b\n");
  EXPECT_EQ(printed({.hex = true}, [&](Printer& printer) { printer.range(response, RangeParts::kAll); }),
            "\\x61\n\\x62\n");
  response.kvs.clear();
  EXPECT_EQ(printed({}, [&](Printer& printer) { printer.range(response, RangeParts::kCount); }), "1\n");
}

TEST(Output, NothingFound) {
  etcd::RangeResponse response{.header = kHeader, .kvs = {}};
  expect([&](Printer& printer) { printer.range(response, RangeParts::kAll); }, "",
         "{\"header\":" HEADER_JSON "}\n", HEADER_FIELDS "\"More\" : false\n\"Count\" : 0\n");
}

TEST(Output, Txn) {
  etcd::TxnResponse response{.header = kHeader, .succeeded = true, .responses = {}};
  response.responses.emplace_back(etcd::PutResponse{.header = {.revision = 12}, .prev_kv = {}});
  response.responses.emplace_back(
      etcd::RangeResponse{.header = {.revision = 12}, .kvs = {key_value()}, .count = 1});
  response.responses.emplace_back(etcd::DeleteRangeResponse{.header = {.revision = 12}, .prev_kvs = {}});
  auto nested = std::make_shared<etcd::TxnResponse>();
  nested->header.revision = 12;
  response.responses.emplace_back(std::shared_ptr<const etcd::TxnResponse>(nested));
#define NESTED_HEADER "\"ClusterID\" : 0\n\"MemberID\" : 0\n\"Revision\" : 12\n\"RaftTerm\" : 0\n"
  expect([&](Printer& printer) { printer.txn(response); }, "SUCCESS\n\nOK\n\na\nb\n\n0\n\nFAILURE\n",
         "{\"header\":" HEADER_JSON
         ",\"succeeded\":true,\"responses\":[{\"Response\":{\"ResponsePut\":{\"header\":{\"revision\":12}}}},"
         "{\"Response\":{\"ResponseRange\":{\"header\":{\"revision\":12},\"kvs\":[{\"key\":\"YQ==\","
         "\"create_revision\":2,\"mod_revision\":11,\"version\":9,\"value\":\"Yg==\"}],\"count\":1}}},"
         "{\"Response\":{\"ResponseDeleteRange\":{\"header\":{\"revision\":12}}}},"
         "{\"Response\":{\"ResponseTxn\":{\"header\":{\"revision\":12}}}}]}\n",
         HEADER_FIELDS "\"Succeeded\" : true\n" NESTED_HEADER NESTED_HEADER
                       "\"Key\" : \"a\"\n\"CreateRevision\" : 2\n\"ModRevision\" : 11\n\"Version\" : 9\n"
                       "\"Value\" : \"b\"\n\"Lease\" : 0\n\"More\" : false\n\"Count\" : 1\n" NESTED_HEADER
                       "\"Deleted\" : 0\n" NESTED_HEADER "\"Succeeded\" : false\n");
}

TEST(Output, Watch) {
  etcd::WatchEvent put{.type = etcd::EventType::kPut, .kv = key_value(), .prev_kv = {}};
  etcd::WatchEvent deletion{.type = etcd::EventType::kDelete,
                            .kv = {.key = "a", .value = "", .mod_revision = 12},
                            .prev_kv = key_value()};
  const WatchOutput response{.header = kHeader, .events = {put, deletion}};
  expect(
      [&](Printer& printer) { printer.watch(response); }, "PUT\na\nb\nDELETE\na\nb\na\n\n",
      "{\"Header\":" HEADER_JSON
      ",\"Events\":[{\"kv\":{\"key\":\"YQ==\",\"create_revision\":2,\"mod_revision\":11,\"version\":9,"
      "\"value\":\"Yg==\"}},{\"type\":1,\"kv\":{\"key\":\"YQ==\",\"mod_revision\":12},\"prev_kv\":{\"key\":"
      "\"YQ==\","
      "\"create_revision\":2,\"mod_revision\":11,\"version\":9,\"value\":\"Yg==\"}}],\"CompactRevision\":0,"
      "\"Canceled\":false,\"Created\":false}\n",
      HEADER_FIELDS
      "\"Type\" : PUT\n\"Key\" : \"a\"\n\"CreateRevision\" : 2\n\"ModRevision\" : 11\n\"Version\" : 9\n"
      "\"Value\" : \"b\"\n\"Lease\" : 0\n"
      "\"Type\" : DELETE\n\"PrevKey\" : \"a\"\n\"PrevCreateRevision\" : 2\n\"PrevModRevision\" : 11\n"
      "\"PrevVersion\" : 9\n\"PrevValue\" : \"b\"\n\"PrevLease\" : 0\n"
      "\"Key\" : \"a\"\n\"CreateRevision\" : 0\n\"ModRevision\" : 12\n\"Version\" : 0\n\"Value\" : \"\"\n"
      "\"Lease\" : 0\n");
}

TEST(Output, Leases) {
  const etcd::LeaseTimeToLiveResponse alive{
      .header = kHeader, .id = 0x13b0a202d71bb042, .ttl_s = 299, .granted_ttl_s = 300, .keys = {"lk", "lk2"}};
  EXPECT_EQ(printed({}, [&](Printer& printer) { printer.lease_time_to_live(alive, true); }),
            "lease 13b0a202d71bb042 granted with TTL(300s), remaining(299s), attached keys([lk lk2])\n");
  EXPECT_EQ(printed({.format = OutputFormat::kJson},
                    [&](Printer& printer) { printer.lease_time_to_live(alive, true); }),
            "{\"cluster_id\":10144879847569953045,\"member_id\":12428976124636271536,\"revision\":12,\"raft_"
            "term\":2,"
            "\"id\":1418812015704256578,\"ttl\":299,\"granted-ttl\":300,\"keys\":[\"bGs=\",\"bGsy\"]}\n");
  const etcd::LeaseTimeToLiveResponse gone{.header = kHeader, .id = 0x1234, .ttl_s = -1, .keys = {}};
  EXPECT_EQ(printed({}, [&](Printer& printer) { printer.lease_time_to_live(gone, false); }),
            "lease 0000000000001234 already expired\n");
  const etcd::LeaseLeasesResponse list{.header = kHeader, .leases = {1, 2}};
  EXPECT_EQ(printed({}, [&](Printer& printer) { printer.leases(list); }),
            "found 2 leases\n0000000000000001\n0000000000000002\n");
}

TEST(Output, MembersAsATable) {
  etcd::MemberListResponse response{.header = kHeader, .members = {}};
  response.members.push_back({.id = 0xac7c97ef0ec193b0,
                              .name = "default",
                              .peer_urls = {"http://127.0.0.1:23791"},
                              .client_urls = {"http://127.0.0.1:23790"}});
  EXPECT_EQ(printed({.format = OutputFormat::kTable}, [&](Printer& printer) { printer.members(response); }),
            "+------------------+---------+---------+------------------------+------------------------+------"
            "------+\n"
            "|        ID        | STATUS  |  NAME   |       PEER ADDRS       |      CLIENT ADDRS      | IS "
            "LEARNER |\n"
            "+------------------+---------+---------+------------------------+------------------------+------"
            "------+\n"
            "| ac7c97ef0ec193b0 | started | default | http://127.0.0.1:23791 | http://127.0.0.1:23790 |      "
            "false |\n"
            "+------------------+---------+---------+------------------------+------------------------+------"
            "------+\n");
}

}  // namespace
}  // namespace minigrpc::cli
