#include "names.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace minigrpc::plugin {
namespace {

namespace pb = google::protobuf;

class NamesTest : public testing::Test {
 protected:
  const pb::FileDescriptor& file(const std::string& text) {
    pb::FileDescriptorProto proto;
    EXPECT_TRUE(pb::TextFormat::ParseFromString("name: 'x.proto' syntax: 'proto3' message_type { name: 'M' } " + text,
                                                &proto));
    const pb::FileDescriptor* built = pool_.BuildFile(proto);
    EXPECT_NE(built, nullptr);
    return *built;
  }
  static std::string service(const std::string& name, const std::vector<std::string>& methods) {
    std::string text = "service { name: '" + name + "'";
    for (const std::string& method : methods)
      text += " method { name: '" + method + "' input_type: 'M' output_type: 'M' }";
    return text + " } ";
  }
  // The methods' names, as "function constant".
  static std::vector<std::string> methods_of(const pb::ServiceDescriptor& service) {
    std::vector<std::string> all;
    for (const MethodNames& names : names_of(service).methods) all.push_back(names.function + " " + names.constant);
    return all;
  }

 private:
  pb::DescriptorPool pool_;
};

using Strings = std::vector<std::string>;

TEST_F(NamesTest, NamespacesFollowThePackage) {
  EXPECT_EQ(namespaces_of(file("package: 'shop.stock.v1'")), (Strings{"shop", "stock", "v1"}));
}
TEST_F(NamesTest, NoPackageIsNoNamespace) { EXPECT_EQ(namespaces_of(file("")), Strings{}); }

TEST_F(NamesTest, NestedMessagesAreFlat) {
  const pb::FileDescriptor& built = file("package: 'a.b' message_type { name: 'O' nested_type { name: 'I' } }");
  EXPECT_EQ(qualified_class(*built.message_type(1)->nested_type(0)), "::a::b::O_I");
}
TEST_F(NamesTest, MessagesKeepProtobufsNames) {
  EXPECT_EQ(qualified_class(*file("message_type { name: 'int' }").message_type(1)), "::int_");
}

TEST_F(NamesTest, OrdinaryNamesAreKept) {
  const pb::FileDescriptor& built = file("package: 'a.b' " + service("Stock", {"Get", "get", "List"}));
  EXPECT_EQ(names_of(*built.service(0)).service, "Stock");
  EXPECT_EQ(names_of(*built.service(0)).qualified, "::a::b::Stock");
  EXPECT_EQ(methods_of(*built.service(0)), (Strings{"Get kGet", "get kget", "List kList"}));
}

TEST_F(NamesTest, KeywordsGetAnUnderscore) {
  const pb::FileDescriptor& built = file(service("union", {"delete", "requires", "NULL", "errno"}));
  EXPECT_EQ(names_of(*built.service(0)).qualified, "::union_");
  EXPECT_EQ(methods_of(*built.service(0)),
            (Strings{"delete_ kdelete", "requires_ krequires", "NULL_ kNULL", "errno_ kerrno"}));
}

TEST_F(NamesTest, AnEscapedNameTakesNoOthers) {
  const pb::FileDescriptor& built = file(service("S", {"delete", "delete_", "delete__"}));
  EXPECT_EQ(methods_of(*built.service(0)), (Strings{"delete___ kdelete", "delete_ kdelete_", "delete__ kdelete__"}));
}

TEST_F(NamesTest, MembersOfTheClassesAreTaken) {
  const pb::FileDescriptor& built =
      file(service("kGet", {"Get", "Handler", "Client", "channel_", "service_name", "service_methods", "ServiceName"}));
  EXPECT_EQ(methods_of(*built.service(0)),
            (Strings{"Get kGet_", "Handler_ kHandler", "Client_ kClient", "channel__ kchannel_",
                     "service_name_ kservice_name", "service_methods_ kservice_methods", "ServiceName kServiceName_"}));
}

TEST_F(NamesTest, ServicesGiveWayToMembersAndMessages) {
  const pb::FileDescriptor& built = file("message_type { name: 'O' nested_type { name: 'I' } enum_type { name: 'E' "
                                         "value { name: 'Z' number: 0 } } } message_type { name: 'Client_' } " +
                                         service("Handler", {}) + service("Client", {}) + service("O_I", {}) +
                                         service("O_E", {}) + service("kServiceName", {}));
  Strings services;
  for (int i = 0; i < built.service_count(); ++i) services.push_back(names_of(*built.service(i)).service);
  EXPECT_EQ(services, (Strings{"Handler_", "Client__", "O_I_", "O_E_", "kServiceName_"}));
}

TEST(ReservedWords, CoverTheNewAndTheOld) {
  for (const char* word : {"and", "class", "co_yield", "concept", "consteval", "NULL", "xor_eq", "EOF"})
    EXPECT_TRUE(is_reserved_word(word)) << word;
  for (const char* word : {"", "Class", "final", "override", "import", "module"})
    EXPECT_FALSE(is_reserved_word(word)) << word;
}

}  // namespace
}  // namespace minigrpc::plugin
