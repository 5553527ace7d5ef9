#include "call_schema.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace minigrpc::cli {
namespace {

using testing::HasSubstr;

constexpr std::string_view kShop = R"(syntax = "proto3";
package shop;
import "types/item.proto";
import "google/protobuf/duration.proto";
service Orders {
  rpc Get(types.Item) returns (Order);
  rpc List(types.Item) returns (stream Order);
  rpc Put(stream types.Item) returns (Order);
  rpc Chat(stream types.Item) returns (stream Order);
}
message Order { int64 order_id = 1; repeated string notes = 2; google.protobuf.Duration took = 3; }
)";
constexpr std::string_view kItem = R"(syntax = "proto3";
package types;
message Item { int32 item_id = 1; bytes picture = 2; }
)";

class CallSchemaTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::path(testing::TempDir()) / (std::string("call_schema_") + test->name());
    std::filesystem::remove_all(root_);
    write("protos/shop/orders.proto", kShop);
    write("protos/types/item.proto", kItem);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  void write(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }

 private:
  std::filesystem::path root_;
};

TEST_F(CallSchemaTest, FindsMethodsOfEveryKind) {
  const auto schema = CallSchema::load({.protos = {"shop/orders.proto"}, .import_paths = {path("protos")}});
  ASSERT_TRUE(schema) << schema.error().message();
  struct Case {
    std::string_view name;
    std::string path;
    MethodKind kind;
  };
  const Case cases[] = {{"shop.Orders/Get", "/shop.Orders/Get", MethodKind::kUnary},
                        {"/shop.Orders/List", "/shop.Orders/List", MethodKind::kServerStreaming},
                        {"shop.Orders.Put", "/shop.Orders/Put", MethodKind::kClientStreaming},
                        {"Orders/Chat", "/shop.Orders/Chat", MethodKind::kBidirectional}};
  for (const Case& c : cases) {
    const auto method = schema->find_method(c.name);
    ASSERT_TRUE(method) << c.name;
    EXPECT_EQ(method->path, c.path);
    EXPECT_EQ(method->kind, c.kind);
    EXPECT_EQ(method->request_type, "types.Item");
    EXPECT_EQ(method->response_type, "shop.Order");
  }
  EXPECT_THAT(schema->find_method("Orders/Nothing").error().message(),
              HasSubstr("has no method \"Nothing\"; there are: Get, List, Put, Chat"));
  EXPECT_THAT(schema->find_method("Nobody/Get").error().message(), HasSubstr("there are: shop.Orders"));
  EXPECT_FALSE(schema->find_method("Get"));
}

TEST_F(CallSchemaTest, TakesAFileByItsPathToo) {
  EXPECT_TRUE(
      CallSchema::load({.protos = {path("protos/shop/orders.proto")}, .import_paths = {path("protos")}}));
  EXPECT_TRUE(CallSchema::load({.protos = {path("protos/types/item.proto")}, .import_paths = {}}));
}

TEST_F(CallSchemaTest, SaysWhatIsWrong) {
  write("bad.proto", "syntax = \"proto3\";\nmessage X { strin a = 1; }\n");
  const auto bad = CallSchema::load({.protos = {path("bad.proto")}, .import_paths = {}});
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message(), HasSubstr("bad.proto:"));
  EXPECT_THAT(bad.error().message(), HasSubstr("strin"));
  const auto import = CallSchema::load({.protos = {path("protos/shop/orders.proto")}, .import_paths = {}});
  ASSERT_FALSE(import);
  EXPECT_THAT(import.error().message(), HasSubstr("types/item.proto"));
  EXPECT_THAT(CallSchema::load({.protos = {"nothing.proto"}, .import_paths = {}}).error().message(),
              HasSubstr("nothing.proto"));
  EXPECT_FALSE(CallSchema::load({.protos = {}, .import_paths = {path("nowhere")}}));
}

TEST_F(CallSchemaTest, TurnsJsonIntoMessagesAndBack) {
  const auto schema = CallSchema::load({.protos = {"shop/orders.proto"}, .import_paths = {path("protos")}});
  ASSERT_TRUE(schema);
  const auto message =
      schema->to_message("shop.Order", R"({"order_id": 300, "notes": ["a", "é"], "took": "1.5s"})");
  ASSERT_TRUE(message) << message.error().message();
  EXPECT_EQ(message->substr(0, 6), std::string("\x08\xac\x02\x12\x01", 5) + "a");
  EXPECT_EQ(*schema->to_json("shop.Order", *message, {}),
            R"({"orderId":"300","notes":["a","é"],"took":"1.500s"})");
  EXPECT_EQ(*schema->to_json("types.Item", "", {.with_defaults = true}), R"({"itemId":0,"picture":""})");
  EXPECT_THAT(*schema->to_json("types.Item", "\x08\x01", {.indented = true}), HasSubstr("\n"));
  EXPECT_THAT(schema->to_message("shop.Order", R"({"nothing": 1})").error().message(), HasSubstr("nothing"));
  EXPECT_FALSE(schema->to_message("shop.Order", "{"));
  EXPECT_FALSE(schema->to_json("shop.Order", "\xff", {}));
  EXPECT_FALSE(schema->to_json("shop.Unknown", "", {}));
}

google::protobuf::FileDescriptorSet shop_descriptors() {
  google::protobuf::FileDescriptorSet set;
  auto* item = set.add_file();
  item->set_name("item.proto");
  item->set_package("shop");
  item->add_message_type()->set_name("Item");
  auto* orders = set.add_file();
  orders->set_name("orders.proto");
  orders->set_package("shop");
  orders->add_dependency("item.proto");
  auto* service = orders->add_service();
  service->set_name("Orders");
  for (const char* name : {"Get", "Put"}) {
    auto* method = service->add_method();
    method->set_name(name);
    method->set_input_type(".shop.Item");
    method->set_output_type(".shop.Item");
  }
  return set;
}

TEST_F(CallSchemaTest, IsMadeOfDescriptorsToo) {
  const google::protobuf::FileDescriptorSet set = shop_descriptors();
  const auto schema = CallSchema::of(set);
  ASSERT_TRUE(schema) << schema.error().message();
  EXPECT_EQ(schema->find_method("Orders/Get")->path, "/shop.Orders/Get");
  EXPECT_THAT(schema->services(), testing::ElementsAre("shop.Orders"));
  EXPECT_THAT(*schema->methods_of("shop.Orders"), testing::ElementsAre("shop.Orders.Get", "shop.Orders.Put"));
  EXPECT_THAT(schema->methods_of("Nothing").error().message(), HasSubstr("there are: shop.Orders"));
  EXPECT_EQ(*schema->to_json("shop.Item", "", {}), "{}");

  write("shop.pb", set.SerializeAsString());
  const auto from_file = CallSchema::load({.descriptor_sets = {path("shop.pb")}});
  ASSERT_TRUE(from_file) << from_file.error().message();
  EXPECT_TRUE(from_file->find_method("shop.Orders.Put"));
  EXPECT_FALSE(CallSchema::load({.descriptor_sets = {path("nothing.pb")}}));

  google::protobuf::FileDescriptorSet incomplete = set;
  incomplete.mutable_file()->DeleteSubrange(0, 1);
  EXPECT_THAT(CallSchema::of(incomplete).error().message(), HasSubstr("orders.proto cannot be used"));
}

TEST_F(CallSchemaTest, Describes) {
  const auto schema = CallSchema::load({.protos = {"shop/orders.proto"}, .import_paths = {path("protos")}});
  ASSERT_TRUE(schema);
  EXPECT_THAT(*schema->describe("shop.Orders"), testing::StartsWith("shop.Orders is a service:\nservice Orders {\n"));
  EXPECT_THAT(*schema->describe("Orders"), testing::StartsWith("shop.Orders is a service:\n"));
  EXPECT_EQ(*schema->describe("shop.Orders/Get"),
            "shop.Orders.Get is a method:\nrpc Get(.types.Item) returns (.shop.Order);");
  EXPECT_THAT(*schema->describe(".types.Item"), HasSubstr("bytes picture = 2;"));
  EXPECT_THAT(*schema->describe("types.Item.picture"), HasSubstr("is a field:"));
  EXPECT_EQ(schema->describe("types.Nothing").error().code(), StatusCode::kNotFound);
}

TEST_F(CallSchemaTest, KnowsEtcdHealthAndChannelzByItself) {
  const auto schema = CallSchema::load({});
  ASSERT_TRUE(schema) << schema.error().message();
  EXPECT_TRUE(schema->find_method("etcdserverpb.KV/Range"));
  EXPECT_TRUE(schema->find_method("v3lockpb.Lock/Lock"));
  EXPECT_TRUE(schema->find_method("grpc.channelz.v1.Channelz/GetServers"));
  const auto check = schema->find_method("grpc.health.v1.Health/Check");
  ASSERT_TRUE(check);
  EXPECT_EQ(*schema->to_json(check->response_type, "\x08\x01", {}), R"({"status":"SERVING"})");
}

}  // namespace
}  // namespace minigrpc::cli
