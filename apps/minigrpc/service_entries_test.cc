#include "service_entries.h"

#include <gtest/gtest.h>

namespace minigrpc::cli {
namespace {

TEST(ServiceEntries, AreToldApartByKeyAndValue) {
  struct Case {
    std::string key;
    std::string value;
    etcd::LeaseId lease;
    std::string service;  // empty: not an instance
    std::string address;
    discovery::Format format;
  };
  using enum discovery::Format;
  const std::string etcd_value = R"({"Op":0,"Addr":"10.0.0.1:5051","Metadata":null})";
  const std::string kratos_value =
      R"({"id":"x","name":"shop","version":"1","metadata":{},"endpoints":["grpc://10.0.0.1:9000"]})";
  const std::string kitex_value = R"({"network":"tcp","address":"10.0.0.1:8888","weight":10,"tags":null})";
  const Case cases[] = {
      {"ProdService/10.0.0.1:5051", etcd_value, 7, "ProdService", "10.0.0.1:5051", kEtcd},
      {"ProdService/10.0.0.1:5051", etcd_value, 0, "ProdService", "10.0.0.1:5051", kEtcd},
      {"a/b/10.0.0.1:5051", etcd_value, 7, "a/b", "10.0.0.1:5051", kEtcd},
      {"ProdService/one", etcd_value, 7, "ProdService", "10.0.0.1:5051", kEtcd},
      {"ProdService", etcd_value, 7, "", "", kEtcd},
      {"user.rpc/7587870", "10.0.0.1:8080", 7, "user.rpc", "10.0.0.1:8080", kGoZero},
      {"user.rpc/7587870", "10.0.0.1:8080", 0, "", "", kGoZero},
      {"config/database", "10.0.0.1:5432", 7, "", "", kGoZero},
      {"/microservices/shop/x", kratos_value, 7, "shop", "10.0.0.1:9000", kKratos},
      {"elsewhere/shop/x", kratos_value, 7, "", "", kKratos},
      {"kitex/registry-etcd/shop/10.0.0.1:8888", kitex_value, 7, "shop", "10.0.0.1:8888", kKitex},
      {"elsewhere/10.0.0.1:8888", kitex_value, 7, "", "", kKitex},
      {"foo/13b0a202d71bb0c0", "", 7, "", "", kEtcd},
      {"greeting", "hello", 0, "", "", kEtcd},
      {"a/b:c", "{not json", 7, "", "", kEtcd},
  };
  for (const Case& c : cases) {
    const auto entry = parse_service_entry({.key = c.key, .value = c.value, .lease = c.lease});
    ASSERT_EQ(entry.has_value(), !c.service.empty()) << c.key << " = " << c.value;
    if (!entry) continue;
    EXPECT_EQ(entry->service, c.service);
    EXPECT_EQ(entry->instance.address, c.address);
    EXPECT_EQ(entry->instance.format, c.format);
    EXPECT_EQ(entry->lease, c.lease);
  }
}

TEST(ServiceEntries, PrefixesEndWithASlash) {
  for (const std::string& prefix : service_prefixes("shop")) EXPECT_TRUE(prefix.ends_with("shop/"));
}

}  // namespace
}  // namespace minigrpc::cli
