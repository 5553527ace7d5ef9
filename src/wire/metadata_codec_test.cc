#include "wire/metadata_codec.h"

#include <gtest/gtest.h>

namespace minigrpc::wire {
namespace {

TEST(MetadataCodec, ChecksWhatIsToBeSent) {
  struct Row {
    Metadata::Entry entry;
    std::string_view message;  // "" if it may be sent
  };
  const Row rows[] = {
      {{"x-request-id", "17"}, ""},
      {{"x-empty", ""}, ""},
      {{"x-bin", std::string("\0\xff", 2)}, ""},
      {{"grpc-timeout", "1S"}, "metadata 'grpc-timeout' cannot be sent: the name is reserved"},
      {{":path", "/x"}, "metadata ':path' cannot be sent: the name is reserved"},
      {{"X-Id", "17"}, "metadata 'X-Id' cannot be sent: a name is made of 0-9 a-z _ - ."},
      {{"", "17"}, "metadata '' cannot be sent: a name is made of 0-9 a-z _ - ."},
      {{"x", "a\nb"},
       "metadata 'x' cannot be sent: its value is not printable ASCII, and its name does not end in -bin"},
  };
  for (const Row& row : rows) {
    const Status status = check_metadata(Metadata{{"first", "fine"}, row.entry, {"last", "fine"}});
    EXPECT_EQ(status.code(), row.message.empty() ? StatusCode::kOk : StatusCode::kInternal);
    EXPECT_EQ(status.message(), row.message);
  }
  EXPECT_TRUE(check_metadata(Metadata()).ok());
}

TEST(MetadataCodec, WhatIsSentIsReceived) {
  const Metadata sent{{"x", "1"}, {"x", "2"}, {"b-bin", std::string("\0,\xff", 3)}, {"x", ""}, {"b-bin", ""}};
  Metadata received;
  for (const Metadata::Entry& entry : sent) {
    std::string storage;
    EXPECT_TRUE(append_received(encode_metadata(entry, storage), received).ok());
  }
  EXPECT_EQ(received, sent);
}

TEST(MetadataCodec, Encodes) {
  std::string storage;
  EXPECT_EQ(encode_metadata({"x", " a b\t"}, storage), (HeaderView{"x", "a b"}));
  EXPECT_EQ(encode_metadata({"x-bin", " a"}, storage), (HeaderView{"x-bin", "IGE"}));
}

TEST(MetadataCodec, Receives) {
  struct Row {
    HeaderView header;
    Metadata expected;
  };
  const Row rows[] = {
      {{"x", " 1, 2 "}, {{"x", "1, 2"}}},
      {{"x-bin", "Zg==, Zm8"}, {{"x-bin", "f"}, {"x-bin", "fo"}}},
      {{"user-agent", "grpc-go/1.0"}, {{"user-agent", "grpc-go/1.0"}}},
      {{"grpc-timeout", "1S"}, {}},
      {{"content-type", "application/grpc"}, {}},
      {{":path", "/x"}, {}},
  };
  for (const Row& row : rows) {
    Metadata metadata;
    EXPECT_TRUE(append_received(row.header, metadata).ok());
    EXPECT_EQ(metadata, row.expected) << row.header.name;
  }

  Metadata metadata;
  const Status status = append_received({"x-bin", "Zg,!"}, metadata);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.message(), "metadata 'x-bin' is not valid base64");
  EXPECT_TRUE(metadata.empty());
}

}  // namespace
}  // namespace minigrpc::wire
