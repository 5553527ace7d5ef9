// JsonReader: reads a JSON document field by field, and keeps where and why the first one was wrong:
// "methodConfig[1].retryPolicy.maxAttempts: wants at least 2".
//
//   JsonReader reader;
//   JsonField root = reader.parse(text);
//   int attempts = root.required("maxAttempts").integer({.min = 2});
//   if (!reader.status().ok()) return reader.status();
//
// What a bad field is read as is anything: look at the status before using it. Thread rule: a local variable's.
#pragma once

#include <minigrpc/result.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/json.h"

namespace minigrpc::rpc {

class JsonReader;

// A value and where it stands; borrowed until its reader is gone. One that is absent reads as nothing.
class JsonField {
 public:
  struct IntegerBounds {
    std::int64_t min = 0;
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
  };

  bool present() const { return value_ != nullptr; }
  const std::string& path() const { return path_; }
  // A member of this object; null counts as absent.
  JsonField member(std::string_view name) const;
  JsonField required(std::string_view name) const;
  std::vector<JsonField> items() const;    // of a list
  std::vector<JsonField> members() const;  // of an object
  // The last part of the path.
  std::string_view name() const;

  std::string text() const;
  bool boolean() const;
  // Also as a string, as protobuf's JSON has it for 64 bits.
  std::int64_t integer(IntegerBounds bounds) const;
  double number() const;
  // "1.5s".
  std::chrono::nanoseconds duration() const;
  std::string json() const;

  void fail(std::string_view why) const;

 private:
  friend class JsonReader;
  JsonField(JsonReader& reader, const boost::json::value* value, std::string path)
      : reader_(&reader), value_(value), path_(std::move(path)) {}

  JsonReader* reader_;
  const boost::json::value* value_;
  std::string path_;
};

class JsonReader {
 public:
  JsonReader() = default;
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  // An object. Once.
  JsonField parse(std::string_view text);
  // INVALID_ARGUMENT that names the first bad field.
  const Status& status() const { return status_; }

 private:
  friend class JsonField;
  boost::json::value root_;
  Status status_;
};

}  // namespace minigrpc::rpc
