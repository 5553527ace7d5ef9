#include "flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "etcd_flags.h"

namespace minigrpcd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

minigrpc::Result<Flags> parse(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {}) {
  return parse_flags(arguments, [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(FlagsTest, DefaultsAreEtcds) {
  const Flags flags = parse({}).value();
  EXPECT_EQ(flags.registry.name, "default");
  EXPECT_EQ(flags.registry.data_dir, "default.minigrpc");
  EXPECT_THAT(flags.registry.listen_addresses, ElementsAre("localhost:2379"));
  EXPECT_THAT(flags.registry.advertise_peer_urls, ElementsAre("http://localhost:2380"));
  EXPECT_EQ(flags.registry.request_size_max, 1'572'864u);
  EXPECT_EQ(flags.registry.txn_ops_max, 128u);
  EXPECT_EQ(flags.log_level, minigrpc::LogLevel::kInfo);
}

TEST(FlagsTest, EverySpellingOfGo) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--name", "n1"}, {"--name=n1"}, {"-name", "n1"}, {"-name=n1"}, {"--name", "n0", "--name", "n1"}}) {
    const Flags flags = parse(arguments).value();
    EXPECT_EQ(flags.registry.name, "n1");
    EXPECT_EQ(flags.registry.data_dir, "n1.minigrpc");
  }
  EXPECT_EQ(parse({"--debug"})->log_level, minigrpc::LogLevel::kDebug);
  EXPECT_EQ(parse({"--debug=false"})->log_level, minigrpc::LogLevel::kInfo);
  EXPECT_TRUE(parse({"-h"})->help);
  EXPECT_TRUE(parse({"--version"})->version);
}

TEST(FlagsTest, SeveralListenUrls) {
  const Flags flags = parse({"--listen-client-urls", "http://10.0.0.1:2379,http://[::1]:4001,unix:///run/m.sock",
                             "--advertise-client-urls", "http://a:1,http://b:2"})
                          .value();
  EXPECT_THAT(flags.registry.listen_addresses, ElementsAre("10.0.0.1:2379", "[::1]:4001", "unix:/run/m.sock"));
  EXPECT_THAT(flags.registry.advertise_client_urls, ElementsAre("http://a:1", "http://b:2"));
}

TEST(FlagsTest, AStartScriptOfEtcdWorks) {
  const Flags flags =
      parse({"--name", "s1", "--data-dir", "/d", "--listen-peer-urls", "http://10.0.0.1:2380",
             "--initial-advertise-peer-urls", "http://10.0.0.1:2380", "--initial-cluster", "s1=http://10.0.0.1:2380",
             "--initial-cluster-state", "new", "--initial-cluster-token", "t", "--heartbeat-interval=100",
             "--election-timeout=1000", "--snapshot-count", "10000", "--pre-vote"})
          .value();
  EXPECT_THAT(flags.without_effect,
              UnorderedElementsAre("--listen-peer-urls", "--initial-cluster", "--initial-cluster-state",
                                   "--initial-cluster-token", "--heartbeat-interval", "--election-timeout",
                                   "--pre-vote"));
  EXPECT_EQ(flags.registry.snapshot_count, 10'000);
}

TEST(FlagsTest, ARestore) {
  const Flags flags = parse({"--restore", "s.db", "--skip-hash-check", "--bump-revision", "100", "--mark-compacted"}).value();
  EXPECT_EQ(flags.restore, "s.db");
  EXPECT_TRUE(flags.skip_hash_check);
  EXPECT_EQ(flags.bump_revision, 100);
}

TEST(FlagsTest, CompactionKeepsATimeOrANumber) {
  const auto parsed = [](std::vector<std::string> arguments) { return parse(arguments).value().registry; };
  EXPECT_EQ(parsed({}).compaction_retention.count(), 0);
  EXPECT_EQ(parsed({"--auto-compaction-retention=2"}).compaction_retention, std::chrono::hours(2));
  EXPECT_EQ(parsed({"--auto-compaction-retention=90s"}).compaction_retention, std::chrono::seconds(90));
  const minigrpc::RegistryOptions revisions = parsed({"--auto-compaction-mode=revision", "--auto-compaction-retention=5000"});
  EXPECT_EQ(revisions.compaction_retention_revisions, 5000);
  EXPECT_EQ(revisions.compaction_retention.count(), 0);
}

TEST(FlagsTest, TheEnvironmentCountsLess) {
  const std::map<std::string, std::string> variables{{"ETCD_NAME", "env"}, {"ETCD_DATA_DIR", "/env"}};
  const Flags flags = parse({"--name", "flag"}, variables).value();
  EXPECT_EQ(flags.registry.name, "flag");
  EXPECT_EQ(flags.registry.data_dir, "/env");
}

TEST(FlagsTest, AnUnsupportedVariableIsRefusedToo) {
  EXPECT_THAT(parse({}, {{"ETCD_CERT_FILE", "/x"}}).error().message(), HasSubstr("belong together"));
  EXPECT_TRUE(parse({}, {{"ETCD_AUTO_TLS", "false"}, {"ETCD_CERT_FILE", ""}}));
}

TEST(FlagsTest, OwnVariablesCountMore) {
  const std::map<std::string, std::string> variables{{"ETCD_NAME", "etcd"}, {"MINIGRPC_NAME", "own"}};
  EXPECT_EQ(parse({}, variables)->registry.name, "own");
  EXPECT_EQ(parse({"--name", "flag"}, variables)->registry.name, "flag");
}

TEST(FlagsTest, Tls) {
  const Flags flags = parse({"--listen-client-urls", "https://0.0.0.0:2379,http://localhost:2378,unixs:///run/m.sock",
                             "--cert-file", "c.pem", "--key-file", "c.key", "--client-cert-auth", "--trusted-ca-file",
                             "ca.pem", "--tls-min-version", "TLS1.3", "--cipher-suites", "A,B"}).value();
  EXPECT_THAT(flags.registry.listen_addresses,
              ElementsAre("https://0.0.0.0:2379", "localhost:2378", "unixs:///run/m.sock"));
  EXPECT_TRUE(flags.serves_tls);
  EXPECT_TRUE(flags.registry.client_cert_auth);
  EXPECT_EQ(flags.tls.certificate_chain.value(), "c.pem");
  EXPECT_EQ(flags.tls.private_key.value(), "c.key");
  EXPECT_EQ(flags.tls.client_ca.value(), "ca.pem");
  EXPECT_EQ(flags.tls.client_certificate, minigrpc::ClientCertificate::kRequired);
  EXPECT_EQ(flags.tls.version_min, minigrpc::TlsVersion::k1_3);
  EXPECT_THAT(flags.tls.cipher_suites, ElementsAre("A", "B"));
}

TEST(FlagsTest, InMemoryThereIsNoDataDirectory) {
  const Flags flags = parse({"--in-memory"}).value();
  EXPECT_EQ(flags.registry.data_dir, "");
  EXPECT_THAT(flags.warnings, ElementsAre(HasSubstr("--in-memory")));
  EXPECT_THAT(parse({"--in-memory", "--data-dir", "x"}).error().message(), HasSubstr("leave --data-dir out"));
  EXPECT_THAT(parse({"--in-memory", "--restore", "x"}).error().message(), HasSubstr("leave --restore out"));
}

TEST(FlagsTest, NoFsyncIsWarnedOf) {
  EXPECT_TRUE(parse({})->registry.fsync);
  const Flags flags = parse({"--unsafe-no-fsync"}).value();
  EXPECT_FALSE(flags.registry.fsync);
  EXPECT_THAT(flags.warnings, ElementsAre(HasSubstr("--unsafe-no-fsync")));
}

TEST(FlagsTest, CertificatesWithoutHttpsAreWarnedOf) {
  const Flags flags = parse({"--cert-file", "c.pem", "--key-file", "c.key"}).value();
  EXPECT_FALSE(flags.serves_tls);
  EXPECT_THAT(flags.warnings, ElementsAre(HasSubstr("https://")));
}

TEST(FlagsTest, WhatIsNotWantedIsNotRefused) {
  EXPECT_TRUE(parse({"--force-new-cluster=false", "--proxy", "off", "--discovery", "", "--enable-v2=false"}));
  EXPECT_THAT(parse({"--force-new-cluster"}).error().message(), HasSubstr("run etcd"));
}

TEST(FlagsTest, EveryFlagOfEtcdIsKnown) {
  for (const EtcdFlag& flag : etcd_flags()) {
    const std::string argument = "--" + std::string(flag.name) + (flag.boolean ? "=true" : "=1");
    const minigrpc::Result<Flags> flags = parse({argument});
    EXPECT_EQ(flags.has_value(), flag.refusal.empty()) << argument;
    if (flags) {
      EXPECT_THAT(flags->without_effect, ElementsAre("--" + std::string(flag.name)));
    }
  }
}

class ConfigFileTest : public ::testing::Test {
 protected:
  ConfigFileTest() : path_(::testing::TempDir() + "minigrpcd-config-" + std::to_string(::getpid()) + ".yml") {}
  ~ConfigFileTest() override { std::remove(path_.c_str()); }
  minigrpc::Result<Flags> parse_file(const std::string& yaml, std::vector<std::string> arguments = {}) {
    std::ofstream(path_) << yaml;
    arguments.insert(arguments.end(), {"--config-file", path_});
    return parse(arguments);
  }
  const std::string path_;
};

TEST_F(ConfigFileTest, EtcdsExample) {
  const Flags flags = parse_file(R"(# This is the configuration file for the etcd server.
name: 'shop'
data-dir:
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379,unix:///run/shop.sock
cors:
discovery:
proxy: 'off'
strict-reconfig-check: false
client-transport-security:
  cert-file:
  client-cert-auth: false
  auto-tls: false
peer-transport-security:
  cert-file:
  client-cert-auth: false
log-level: debug
log-outputs: [stderr]
force-new-cluster: false
cipher-suites: [
]
)").value();
  EXPECT_EQ(flags.registry.name, "shop");
  EXPECT_EQ(flags.registry.data_dir, "shop.minigrpc");
  EXPECT_EQ(flags.registry.snapshot_count, 10'000);
  EXPECT_THAT(flags.registry.listen_addresses, ElementsAre("localhost:2379", "unix:/run/shop.sock"));
  EXPECT_EQ(flags.log_level, minigrpc::LogLevel::kDebug);
  EXPECT_THAT(flags.without_effect, UnorderedElementsAre("--heartbeat-interval", "--listen-peer-urls",
                                                         "--strict-reconfig-check", "--log-outputs",
                                                         "--peer-client-cert-auth"));
}

TEST_F(ConfigFileTest, CountsMoreThanFlags) {
  const Flags flags = parse_file("name: file\n", {"--name", "flag", "--data-dir", "/d"}).value();
  EXPECT_EQ(flags.registry.name, "file");
  EXPECT_EQ(flags.registry.data_dir, "/d");
}

TEST_F(ConfigFileTest, WhatIsWrongIsNamed) {
  const std::pair<std::string, std::string> wrong[] = {
      {"nmae: x\n", "not defined: -nmae"},          {"discovery: http://d\n", "run etcd"},
      {"name: [[a]]\n", "'name' must be a list"},   {"just text\n", "lines 'flag: value'"},
      {"name: a: b\n", "configuration file"},      {"client-transport-security: x\n", "must have settings below it"},
      {"debug: maybe\n", "say true or false"},
  };
  for (const auto& [yaml, says] : wrong) {
    const minigrpc::Result<Flags> flags = parse_file(yaml);
    ASSERT_FALSE(flags.has_value()) << yaml;
    EXPECT_THAT(flags.error().message(), HasSubstr(says)) << yaml;
  }
  EXPECT_THAT(parse({"--config-file", "/no/such/file"}).error().message(), HasSubstr("cannot read"));
}

struct Refused {
  std::vector<std::string> arguments;
  std::string says;
};
class FlagsRefusedTest : public ::testing::TestWithParam<Refused> {};
TEST_P(FlagsRefusedTest, SaysWhatToDo) {
  const minigrpc::Result<Flags> flags = parse(GetParam().arguments);
  ASSERT_FALSE(flags);
  EXPECT_EQ(flags.error().code(), minigrpc::StatusCode::kInvalidArgument);
  EXPECT_THAT(flags.error().message(), HasSubstr(GetParam().says));
}
INSTANTIATE_TEST_SUITE_P(
    All, FlagsRefusedTest,
    ::testing::Values(Refused{{"--bogus"}, "flag provided but not defined: -bogus"},
                      Refused{{"--name"}, "flag needs an argument: -name"},
                      Refused{{"extra"}, "'extra' is not a valid flag"},
                      Refused{{"--debug=maybe"}, "say true or false"},
                      Refused{{"--max-txn-ops", "many"}, "it takes a number"},
                      Refused{{"--max-txn-ops", "-1"}, "it takes a number"},
                      Refused{{"--log-level", "loud"}, "debug, info, warn or error"},
                      Refused{{"--experimental-watch-progress-notify-interval", "10"}, "a duration such as"},
                      Refused{{"--initial-cluster", "a=http://h1:2380,b=http://h2:2380"}, "run etcd for a cluster"},
                      Refused{{"--listen-client-urls", "https://localhost:2379"}, "needs --cert-file and --key-file"},
                      Refused{{"--listen-client-urls", "localhost:2379"}, "begins with http://"},
                      Refused{{"--listen-client-urls", "ftp://localhost:2379"}, "begins with http://"},
                      Refused{{"--listen-client-urls", "http://localhost"}, "http://HOST:PORT"},
                      Refused{{"--listen-client-urls", ""}, "is empty"},
                      Refused{{"--restore", "s.db", "--bump-revision", "100"}, "belong together"},
                      Refused{{"--skip-hash-check"}, "need --restore"},
                      Refused{{"--cert-file", "x"}, "belong together"},
                      Refused{{"--client-cert-auth"}, "needs --trusted-ca-file"},
                      Refused{{"--auto-tls"}, "give --cert-file and --key-file"},
                      Refused{{"--tls-min-version", "TLS1.1"}, "it is TLS1.2 or TLS1.3"},
                      Refused{{"--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"}, "greater than"},
                      Refused{{"--auto-compaction-mode=daily"}, "periodic or revision"},
                      Refused{{"--auto-compaction-mode=revision", "--auto-compaction-retention=1h"}, "revisions"},
                      Refused{{"--auto-compaction-retention=1y"}, "a duration such as"},
                      Refused{{"--auth-token-ttl=0"}, "say some seconds"},
                      Refused{{"--bcrypt-cost=3"}, "4 to 31"}));

}  // namespace
}  // namespace minigrpcd
