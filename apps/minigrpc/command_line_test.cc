#include "command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace minigrpc::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Fixture {
  bool prefix = false;
  std::int64_t limit = 0;
  bool interactive = false;
  std::string format = "simple";
  std::vector<std::string> endpoints{"127.0.0.1:2379"};
  std::vector<Verb> verbs;
  FlagSet globals;

  Fixture() {
    verbs.push_back({.path = "get", .arguments = "<key>", .summary = "Get a key"});
    verbs.back().flags.add("prefix", &prefix, "by prefix");
    verbs.back().flags.add("limit", &limit, "at most");
    verbs.back().flags.add("interactive", &interactive, "ask", 'i');
    verbs.push_back({.path = "lease grant", .arguments = "<ttl>", .summary = "Create a lease"});
    verbs.push_back({.path = "lease list", .arguments = "", .summary = "List leases"});
    globals.add("write-out", &format, "format", 'w');
    globals.add("endpoints", CommaList{&endpoints}, "where");
  }
  Result<CommandLine> parse(std::vector<std::string> words) {
    return parse_command_line(verbs, globals, words);
  }
};

TEST(CommandLine, FlagsStandAnywhere) {
  Fixture f;
  const auto line =
      f.parse({"-w", "json", "get", "a", "--prefix", "--limit", "3", "b", "--endpoints=x:1,y:2"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->verb->path, "get");
  EXPECT_THAT(line->arguments.words, ElementsAre("a", "b"));
  EXPECT_FALSE(line->arguments.words_before_dashes);
  EXPECT_TRUE(f.prefix);
  EXPECT_EQ(f.limit, 3);
  EXPECT_EQ(f.format, "json");
  EXPECT_THAT(f.endpoints, ElementsAre("x:1", "y:2"));
}

TEST(CommandLine, LettersMayBeJoined) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"get", "-iwjson"}, {"get", "-iw", "json"}, {"get", "-iw=json"}, {"get", "-i", "-w=json"}}) {
    Fixture f;
    ASSERT_TRUE(f.parse(words));
    EXPECT_TRUE(f.interactive);
    EXPECT_EQ(f.format, "json");
  }
}

TEST(CommandLine, EverythingBehindDashesIsAnArgument) {
  Fixture f;
  const auto line = f.parse({"get", "a", "--", "--prefix", "-x", "--"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->arguments.words, ElementsAre("a", "--prefix", "-x", "--"));
  EXPECT_EQ(line->arguments.words_before_dashes, 1u);
  EXPECT_FALSE(f.prefix);
}

TEST(CommandLine, ALoneDashIsAnArgument) {
  Fixture f;
  const auto line = f.parse({"get", "-"});
  ASSERT_TRUE(line);
  EXPECT_THAT(line->arguments.words, ElementsAre("-"));
}

TEST(CommandLine, FindsVerbsOfTwoWords) {
  Fixture f;
  const auto line = f.parse({"lease", "-w", "json", "grant", "60"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->verb->path, "lease grant");
  EXPECT_THAT(line->arguments.words, ElementsAre("60"));
}

TEST(CommandLine, HelpIsAskedForInManyWays) {
  struct Case {
    std::vector<std::string> words;
    std::string verb;
    std::string group;
  };
  const Case cases[] = {{{}, "", ""},
                        {{"--help"}, "", ""},
                        {{"help"}, "", ""},
                        {{"lease"}, "", "lease"},
                        {{"get", "-h"}, "get", ""},
                        {{"help", "get"}, "get", ""},
                        {{"lease", "list", "--help"}, "lease list", ""}};
  for (const Case& c : cases) {
    Fixture f;
    const auto line = f.parse(c.words);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->verb == nullptr ? "" : line->verb->path, c.verb);
    EXPECT_EQ(line->group, c.group);
    if (line->verb != nullptr) {
      EXPECT_TRUE(line->help);
    }
  }
}

TEST(CommandLine, SaysWhatWasMeant) {
  struct Case {
    std::vector<std::string> words;
    std::string message;
  };
  const Case cases[] = {
      {{"gett"}, "unknown command \"gett\" for \"minigrpc\"\n\nDid you mean this?\n\tget\n"},
      {{"lease", "lost"}, "unknown command \"lost\" for \"minigrpc lease\"\n\nDid you mean this?\n\tlist\n"},
      {{"frobnicate"}, "unknown command \"frobnicate\" for \"minigrpc\"\nRun 'minigrpc --help' for usage."},
      {{"get", "--prefx"}, "unknown flag: --prefx\n\nDid you mean this?\n\t--prefix\n"},
      {{"get", "-z"}, "unknown flag: -z"},
      {{"get", "--limit"}, "flag needs an argument: --limit"},
      {{"get", "--limit=x"}, "invalid argument \"x\" for \"--limit\" flag"},
      {{"--limit=1", "get"}, "unknown flag: --limit"},
  };
  for (const Case& c : cases) {
    Fixture f;
    const auto line = f.parse(c.words);
    ASSERT_FALSE(line);
    EXPECT_THAT(line.error().message(), HasSubstr(c.message));
  }
}

TEST(Environment, OursComesBeforeEtcdctlsAndAfterTheFlag) {
  const std::map<std::string, const char*> variables{
      {"MINIGRPC_ENDPOINTS", "ours:1"}, {"ETCDCTL_ENDPOINTS", "theirs:1"}, {"ETCDCTL_WRITE_OUT", "json"}};
  const auto get = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second;
  };
  Fixture f;
  ASSERT_TRUE(set_from_environment(f.globals, get).ok());
  EXPECT_THAT(f.endpoints, ElementsAre("ours:1"));
  EXPECT_EQ(f.format, "json");

  Fixture given;
  ASSERT_TRUE(given.parse({"get", "--endpoints", "flag:1"}));
  ASSERT_TRUE(set_from_environment(given.globals, get).ok());
  EXPECT_THAT(given.endpoints, ElementsAre("flag:1"));
}

TEST(Environment, NamesTheVariableThatIsWrong) {
  std::int64_t number = 0;
  FlagSet flags;
  flags.add("some-limit", &number, "");
  const auto get = [](const char* name) {
    return std::string_view(name) == "ETCDCTL_SOME_LIMIT" ? "x" : nullptr;
  };
  EXPECT_THAT(set_from_environment(flags, get).message(), HasSubstr("ETCDCTL_SOME_LIMIT in the environment"));
}

TEST(Help, NamesEverything) {
  Fixture f;
  f.verbs[0].examples = "minigrpc get a\nminigrpc get b";
  const std::string all = help_for_all(f.verbs, f.globals, {});
  EXPECT_THAT(all, HasSubstr("  lease grant   Create a lease\n"));
  EXPECT_THAT(all, HasSubstr("-w, --write-out TEXT"));
  const std::string one = help_for(f.verbs[0], f.globals, {.bold_headings = true});
  EXPECT_THAT(one, HasSubstr("  minigrpc get [flags] <key>"));
  EXPECT_THAT(one, HasSubstr("\033[1mExamples\033[0m\n  minigrpc get a\n  minigrpc get b\n"));
  EXPECT_THAT(one, HasSubstr("--limit N"));
  EXPECT_THAT(help_for_group(f.verbs, "lease", {}), testing::Not(HasSubstr("Get a key")));
}

}  // namespace
}  // namespace minigrpc::cli
