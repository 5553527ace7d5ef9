#include "wire/metadata_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace minigrpc::wire {
namespace {

TEST(MetadataRules, Names) {
  for (std::string_view name : {"a", "x-request-id", "trace-bin", "a.b_c-9", "-", "0"}) {
    EXPECT_TRUE(is_legal_metadata_name(name)) << name;
  }
  for (std::string_view name :
       {"", ":path", "X-Request-Id", "a b", "a:b", "a/b", "caf\xc3\xa9", "a\n", "a=b", "a,b"}) {
    EXPECT_FALSE(is_legal_metadata_name(name)) << name;
  }
  EXPECT_FALSE(is_legal_metadata_name(std::string_view("a\0", 2)));
}

TEST(MetadataRules, BinaryNames) {
  EXPECT_TRUE(is_binary_metadata_name("trace-bin"));
  EXPECT_TRUE(is_binary_metadata_name("-bin"));
  for (std::string_view name : {"bin", "trace-binary", "trace-bin-x", "trace_bin", ""}) {
    EXPECT_FALSE(is_binary_metadata_name(name)) << name;
  }
}

TEST(MetadataRules, ValuesArePrintableAscii) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string value{'a', static_cast<char>(byte), 'b'};
    EXPECT_EQ(is_legal_metadata_value(value), byte >= 0x20 && byte <= 0x7e) << byte;
  }
  EXPECT_TRUE(is_legal_metadata_value(""));
}

TEST(MetadataRules, BlanksAroundAValueAreNotPartOfIt) {
  EXPECT_EQ(trim_metadata_value(" \ta b\t "), "a b");
  EXPECT_EQ(trim_metadata_value("  "), "");
  EXPECT_EQ(trim_metadata_value(""), "");
  EXPECT_EQ(trim_metadata_value("a"), "a");
}

TEST(MetadataRules, WhatIsReserved) {
  struct Row {
    std::string_view name;
    bool reserved;   // not to be sent by an application
    bool transport;  // not shown to it when received
  };
  for (const Row& row : {
           Row{":path", true, true},
           Row{":status", true, true},
           Row{":", true, true},
           Row{"grpc-status", true, true},
           Row{"grpc-message", true, true},
           Row{"grpc-status-details-bin", true, true},
           Row{"grpc-timeout", true, true},
           Row{"grpc-encoding", true, true},
           Row{"grpc-accept-encoding", true, true},
           Row{"grpc-something-new", true, true},
           Row{"grpc-", true, true},
           Row{"grpc-previous-rpc-attempts", true, false},
           Row{"grpc-retry-pushback-ms", false, false},
           Row{"grpc-trace-bin", false, false},
           Row{"grpc-tags-bin", false, false},
           Row{"te", true, true},
           Row{"content-type", true, true},
           Row{"content-length", true, true},
           Row{"connection", true, true},
           Row{"keep-alive", true, true},
           Row{"proxy-connection", true, true},
           Row{"transfer-encoding", true, true},
           Row{"upgrade", true, true},
           Row{"host", true, true},
           Row{"user-agent", true, false},
           Row{"grpc", false, false},
           Row{"grpcx-status", false, false},
           Row{"tea", false, false},
           Row{"t", false, false},
           Row{"content-language", false, false},
           Row{"hosts", false, false},
           Row{"authorization", false, false},
           Row{"x-grpc-status", false, false},
           Row{"", false, false},
       }) {
    EXPECT_EQ(is_reserved_metadata_name(row.name), row.reserved) << row.name;
    EXPECT_EQ(is_transport_header(row.name), row.transport) << row.name;
  }
}

}  // namespace
}  // namespace minigrpc::wire
