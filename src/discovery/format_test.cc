#include <gmock/gmock.h>
#include <minigrpc/discovery.h>

namespace minigrpc::discovery {
namespace {

using testing::HasSubstr;

TEST(InstanceFormat, WritesWhatEtcdsGoNamingReads) {
  EXPECT_EQ(instance_key("ProdService", "10.0.0.1:5051"), "ProdService/10.0.0.1:5051");
  EXPECT_EQ(format_instance({.address = "10.0.0.1:5051"}),
            R"({"Op":0,"Addr":"10.0.0.1:5051","Metadata":{"weight":1,"state":"serving"}})");
  EXPECT_EQ(format_instance({.address = "10.0.0.1:5051",
                             .weight = 7,
                             .zone = "a",
                             .version = "v2",
                             .id = "host/1",
                             .state = InstanceState::kDraining,
                             .attributes = {{"color", "\"blue\""}, {"weight", "no second one"}}}),
            R"({"Op":0,"Addr":"10.0.0.1:5051","Metadata":{"weight":7,"state":"draining","instance":"host/1",)"
            R"("zone":"a","version":"v2","color":"\"blue\""}})");
}

TEST(InstanceFormat, ReadsBackWhatItWrote) {
  const Instance instance{.address = "[::1]:5051",
                          .weight = 7,
                          .zone = "a",
                          .version = "v2",
                          .id = "host/1",
                          .state = InstanceState::kDisabled,
                          .attributes = {{"color", "blue"}}};
  Result<Instance> parsed = parse_instance(format_instance(instance));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(*parsed, instance);
}

TEST(InstanceFormat, ReadsEveryEcosystem) {
  struct Case {
    const char* value;
    Instance instance;
  };
  const Case cases[] = {
      {R"({"Op":0,"Addr":"10.0.0.1:5051","Metadata":null})", {.address = "10.0.0.1:5051"}},
      {R"({"Op":1,"Addr":"h:1"})", {.address = "h:1"}},
      {R"({"Addr":"h:1","Metadata":"any text"})", {.address = "h:1"}},
      {R"({"Addr":"h:1","Metadata":{"weight":"3","shard":4,"deep":{"x":1},"state":"fine"}})",
       {.address = "h:1", .weight = 3, .attributes = {{"shard", "4"}}}},
      {R"({"Addr":"h:1","Metadata":{"weight":-3}})", {.address = "h:1"}},
      {"unix:/run/prod.sock", {.address = "unix:/run/prod.sock", .format = Format::kGoZero}},
      {"10.0.0.1:8080", {.address = "10.0.0.1:8080", .format = Format::kGoZero}},
      {R"({"id":"i1","name":"n","version":"v1","metadata":{"weight":"20"},)"
       R"("endpoints":["http://10.0.0.1:8000","grpc://10.0.0.1:9000?isSecure=false"]})",
       {.address = "10.0.0.1:9000", .weight = 20, .version = "v1", .id = "i1", .format = Format::kKratos}},
      {R"({"network":"tcp","address":"10.0.0.1:8888","weight":0,"tags":null})",
       {.address = "10.0.0.1:8888", .weight = 10, .format = Format::kKitex}},
      {R"({"network":"tcp","address":"10.0.0.1:8888","weight":25,"tags":{"zone":"b","k":"v"}})",
       {.address = "10.0.0.1:8888",
        .weight = 25,
        .zone = "b",
        .format = Format::kKitex,
        .attributes = {{"k", "v"}}}},
  };
  for (const Case& c : cases) {
    Result<Instance> parsed = parse_instance(c.value);
    ASSERT_TRUE(parsed) << c.value << ": " << parsed.error().to_string();
    EXPECT_EQ(*parsed, c.instance) << c.value << " → " << format_instance(*parsed);
  }
}

TEST(InstanceFormat, RefusesWhatNobodyCanConnectTo) {
  for (const std::string& value : {std::string(),
                                   std::string("nonsense"),
                                   std::string("host:"),
                                   std::string(":80"),
                                   std::string("h:0"),
                                   std::string("h:65536"),
                                   std::string("h:80x"),
                                   std::string("a b:80"),
                                   std::string("::1:80"),
                                   std::string("http://h:80"),
                                   std::string("{"),
                                   std::string("{}"),
                                   std::string("[1]"),
                                   std::string("\"h:1\""),
                                   std::string(R"({"Addr":17})"),
                                   std::string(R"({"Addr":""})"),
                                   std::string(R"({"endpoints":"grpc://h:1"})"),
                                   std::string(R"({"endpoints":["grpcs://h:1"]})"),
                                   std::string(R"({"Addr":"h:1"} more)"),
                                   std::string("h\0st:80", 7),
                                   std::string("h\x7fst:80"),
                                   std::string("h\xc3\xb6st:80"),
                                   std::string("h/st:80"),
                                   std::string("unix:"),
                                   std::string("in-process:5051"),
                                   std::string("unix:/run/a b"),
                                   std::string("unix:/run/a\nb"),
                                   std::string("unix:/run/\xc3\xb6"),
                                   std::string("unix:/run/a\x7f"),
                                   std::string(R"({"Addr":"h\u00f6st:80"})"),
                                   std::string(100'000, 'h') + ":1",
                                   std::string(1000, '{'),
                                   "{\"Addr\":" + std::string(5000, '[')}) {
    Result<Instance> parsed = parse_instance(value);
    ASSERT_FALSE(parsed) << value.substr(0, 100);
    EXPECT_EQ(parsed.error().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(parse_instance(R"({"name":"x"})").error().message(), HasSubstr("neither"));
}

}  // namespace
}  // namespace minigrpc::discovery
