// JsonObject and JsonList: JSON text, built front to back.
//
// Thread rule: like std::string.
//
//   JsonObject().string("Endpoint", endpoint).number("hash", hash).text()     // {"Endpoint":"…","hash":7}
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "text.h"

namespace minigrpc::cli {

class JsonList {
 public:
  // `json` is JSON text.
  void add(const std::string& json) { text_ += (text_.empty() ? "" : ",") + json; }
  bool empty() const { return text_.empty(); }
  std::string text() const { return "[" + text_ + "]"; }
  // How Go writes a list that nothing was ever added to.
  std::string null_or_text() const { return empty() ? "null" : text(); }

 private:
  std::string text_;
};

class JsonObject {
 public:
  // `value` is JSON text.
  JsonObject& json(std::string_view name, const std::string& value) {
    text_ += (text_.empty() ? "" : ",") + json_quoted(name) + ":" + value;
    return *this;
  }
  JsonObject& number(std::string_view name, std::integral auto value) {
    return json(name, std::to_string(value));
  }
  JsonObject& number_unless_zero(std::string_view name, std::integral auto value) {
    return value == 0 ? *this : number(name, value);
  }
  JsonObject& string(std::string_view name, std::string_view value) { return json(name, json_quoted(value)); }
  JsonObject& string_unless_empty(std::string_view name, std::string_view value) {
    return value.empty() ? *this : string(name, value);
  }
  JsonObject& bytes_unless_empty(std::string_view name, std::string_view value) {
    return value.empty() ? *this : string(name, base64(value));
  }
  JsonObject& strings_unless_empty(std::string_view name, const std::vector<std::string>& values) {
    JsonList list;
    for (const std::string& value : values) list.add(json_quoted(value));
    return values.empty() ? *this : json(name, list.text());
  }
  JsonObject& flag(std::string_view name, bool value) { return json(name, value ? "true" : "false"); }
  JsonObject& flag_if_set(std::string_view name, bool value) { return value ? flag(name, value) : *this; }
  std::string text() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

}  // namespace minigrpc::cli
