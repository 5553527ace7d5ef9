#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <minigrpc/channel.h>
#include <minigrpc/health.h>
#include <minigrpc/reflection.h>

#include "grpc/reflection/v1/reflection.minigrpc.h"
#include "grpc/reflection/v1alpha/reflection.minigrpc.h"
#include "services/reflection_answers.h"

namespace minigrpc {
namespace {

using testing::ElementsAre;


class ReflectionTest : public testing::Test {
 protected:
  ReflectionTest() {
    reflection_.add_to(server_);
    server_.add(health_.service());
    const std::uint16_t port = server_.listen("127.0.0.1:0").value();
    channel_.emplace(runtime_, "127.0.0.1:" + std::to_string(port));
  }

  Runtime runtime_{{.loops = 1}};
  Health health_;
  Reflection reflection_;
  Server server_{runtime_};
  std::optional<Channel> channel_;
};

// Asks all of `requests` on one stream. Of the answers, a line each: the services, the files' names, or the error.
template <class Service, class Request>
Task<std::vector<std::string>> ask(const Channel* channel, std::vector<Request> requests) {
  std::vector<std::string> answers;
  auto stream = typename Service::Client(*channel).ServerReflectionInfo({.timeout = std::chrono::seconds(20)});
  for (const Request& request : requests) {
    co_await stream.write(request);
    auto response = co_await stream.read();
    if (!response) break;
    std::string line;
    const auto add = [&line](const std::string& text) { line += (line.empty() ? "" : " ") + text; };
    for (const auto& service : response->list_services_response().service()) add(service.name());
    for (const std::string& bytes : response->file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      add(file.ParseFromString(bytes) ? file.name() : "malformed");
    }
    if (response->has_error_response()) add("error " + std::to_string(response->error_response().error_code()));
    answers.push_back(line);
  }
  co_await stream.writes_done();
  const Status status = co_await stream.finish();
  if (!status.ok()) answers.push_back(status.to_string());
  co_return answers;
}

using V1 = grpc::reflection::v1::ServerReflection;
using Question = grpc::reflection::v1::ServerReflectionRequest;
constexpr const char* kHealthFile = "grpc/health/v1/health.proto";

Question symbol(const std::string& name) {
  Question question;
  question.set_file_containing_symbol(name);
  return question;
}

TEST_F(ReflectionTest, ListsEveryServiceOfTheServer) {
  Question question;
  question.set_list_services("");
  EXPECT_THAT(sync_wait(ask<V1>(&*channel_, std::vector{question})),
              ElementsAre("grpc.health.v1.Health grpc.reflection.v1.ServerReflection "
                          "grpc.reflection.v1alpha.ServerReflection"));
}

TEST_F(ReflectionTest, FindsTheFileOfAnySymbol) {
  EXPECT_THAT(sync_wait(ask<V1>(&*channel_, std::vector{symbol("grpc.health.v1.Health"),
                                                        symbol("grpc.health.v1.Health.Check"),
                                                        symbol("grpc.health.v1.HealthCheckResponse.ServingStatus"),
                                                        symbol("grpc.health.v1.Nothing")})),
              ElementsAre(kHealthFile, kHealthFile, kHealthFile, "error 5"));
  Question by_name;
  by_name.set_file_by_filename(kHealthFile);
  EXPECT_THAT(sync_wait(ask<V1>(&*channel_, std::vector{by_name})), ElementsAre(kHealthFile));
}

// ---- answers from schemas of our own ----

// shop.proto imports item.proto, which imports base.proto; item.proto extends a message of base.proto.
void add_files(google::protobuf::DescriptorPool& pool) {
  google::protobuf::FileDescriptorProto base;
  base.set_name("base.proto");
  base.set_package("shop");
  base.set_syntax("proto2");
  auto* entity = base.add_message_type();
  entity->set_name("Entity");
  auto* range = entity->add_extension_range();
  range->set_start(100);
  range->set_end(200);
  ASSERT_NE(pool.BuildFile(base), nullptr);

  google::protobuf::FileDescriptorProto item;
  item.set_name("item.proto");
  item.set_package("shop");
  item.set_syntax("proto2");
  item.add_dependency("base.proto");
  auto* extension = item.add_extension();
  extension->set_name("colour");
  extension->set_extendee(".shop.Entity");
  extension->set_number(150);
  extension->set_type(google::protobuf::FieldDescriptorProto::TYPE_STRING);
  extension->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
  ASSERT_NE(pool.BuildFile(item), nullptr);

  google::protobuf::FileDescriptorProto shop;
  shop.set_name("shop.proto");
  shop.set_package("shop");
  shop.add_dependency("item.proto");
  shop.add_message_type()->set_name("Order");
  ASSERT_NE(pool.BuildFile(shop), nullptr);
}

std::vector<std::string> files_of(const grpc::reflection::v1::ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

TEST(ReflectionAnswersTest, SendsImportsOncePerStream) {
  google::protobuf::DescriptorPool pool;
  add_files(pool);
  services::ReflectionAnswers answers(pool, {});
  EXPECT_THAT(files_of(answers.answer(symbol("shop.Order"))), ElementsAre("shop.proto", "item.proto", "base.proto"));
  EXPECT_THAT(files_of(answers.answer(symbol("shop.Order"))), ElementsAre("shop.proto"));
  EXPECT_THAT(files_of(answers.answer(symbol("shop.Entity"))), ElementsAre("base.proto"));
}

TEST(ReflectionAnswersTest, KnowsExtensions) {
  google::protobuf::DescriptorPool pool;
  add_files(pool);
  services::ReflectionAnswers answers(pool, {});
  Question numbers;
  numbers.set_all_extension_numbers_of_type("shop.Entity");
  const auto response = answers.answer(numbers).all_extension_numbers_response();
  EXPECT_EQ(response.base_type_name(), "shop.Entity");
  EXPECT_THAT(response.extension_number(), ElementsAre(150));
  Question extension;
  extension.mutable_file_containing_extension()->set_containing_type("shop.Entity");
  extension.mutable_file_containing_extension()->set_extension_number(150);
  EXPECT_THAT(files_of(answers.answer(extension)), ElementsAre("item.proto", "base.proto"));
  extension.mutable_file_containing_extension()->set_extension_number(151);
  EXPECT_EQ(answers.answer(extension).error_response().error_code(), 5);
  EXPECT_EQ(answers.answer(Question()).error_response().error_code(), 3);
}

TEST_F(ReflectionTest, V1AlphaGivesTheSameAnswers) {
  grpc::reflection::v1alpha::ServerReflectionRequest list;
  list.set_list_services("*");
  grpc::reflection::v1alpha::ServerReflectionRequest file;
  file.set_file_containing_symbol("grpc.health.v1.Health");
  const auto answers =
      sync_wait(ask<grpc::reflection::v1alpha::ServerReflection>(&*channel_, std::vector{list, file}));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_THAT(answers[0], testing::HasSubstr("grpc.health.v1.Health"));
  EXPECT_EQ(answers[1], kHealthFile);
}

}  // namespace
}  // namespace minigrpc
