#include "rpc/json_reader.h"

#include <charconv>
#include <cmath>

#include "base/limits.h"

namespace minigrpc::rpc {

namespace json = boost::json;

namespace {

template <class T>
std::optional<T> number_from(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// protobuf's JSON form of a Duration: seconds with up to nine decimals, and "s".
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::int64_t kSecondsMax = 9'000'000'000;  // as nanoseconds it fits into 64 bits
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const auto seconds = number_from<std::int64_t>(text.substr(0, point));
  if (!seconds || *seconds > kSecondsMax || *seconds < -kSecondsMax) return std::nullopt;
  std::chrono::nanoseconds duration = std::chrono::seconds(*seconds);
  if (point == std::string_view::npos) return duration;
  std::string decimals(text.substr(point + 1));
  if (decimals.empty() || decimals.size() > 9 || decimals.front() == '-') return std::nullopt;
  decimals.resize(9, '0');
  const auto rest = number_from<std::int64_t>(decimals);
  if (!rest) return std::nullopt;
  return duration + std::chrono::nanoseconds(text.front() == '-' ? -*rest : *rest);
}

}  // namespace

JsonField JsonReader::parse(std::string_view text) {
  if (text.size() > limits::kServiceConfigSizeMax) {
    status_ = Status(StatusCode::kInvalidArgument, "longer than " + std::to_string(limits::kServiceConfigSizeMax) + " bytes");
    return {*this, nullptr, ""};
  }
  boost::system::error_code error;
  json::stream_parser parser;
  parser.write(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (error) {
    status_ = Status(StatusCode::kInvalidArgument, "not JSON: " + error.message());
    return {*this, nullptr, ""};
  }
  root_ = parser.release();
  const JsonField root(*this, &root_, "");
  if (!root_.is_object()) root.fail("wants an object");
  return root;
}

void JsonField::fail(std::string_view why) const {
  if (!reader_->status_.ok()) return;
  reader_->status_ = Status(StatusCode::kInvalidArgument, path_ + (path_.empty() ? "" : ": ") + std::string(why));
}

JsonField JsonField::member(std::string_view name) const {
  const json::value* found = nullptr;
  if (value_ != nullptr && !value_->is_object()) fail("wants an object");
  if (value_ != nullptr && value_->is_object())
    found = value_->get_object().if_contains(json::string_view(name.data(), name.size()));
  if (found != nullptr && found->is_null()) found = nullptr;
  return {*reader_, found, path_ + (path_.empty() ? "" : ".") + std::string(name)};
}

JsonField JsonField::required(std::string_view name) const {
  JsonField field = member(name);
  if (!field.present()) field.fail("is missing");
  return field;
}

std::vector<JsonField> JsonField::items() const {
  std::vector<JsonField> items;
  if (value_ == nullptr) return items;
  if (!value_->is_array()) return fail("wants a list"), items;
  for (const json::value& value : value_->get_array())
    items.push_back({*reader_, &value, path_ + "[" + std::to_string(items.size()) + "]"});
  return items;
}

std::vector<JsonField> JsonField::members() const {
  std::vector<JsonField> members;
  if (value_ == nullptr) return members;
  if (!value_->is_object()) return fail("wants an object"), members;
  for (const auto& entry : value_->get_object())
    members.push_back(member(std::string_view(entry.key().data(), entry.key().size())));
  return members;
}

std::string_view JsonField::name() const {
  const std::string_view path = path_;
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string JsonField::text() const {
  if (value_ == nullptr) return {};
  if (!value_->is_string()) return fail("wants a string"), std::string();
  return std::string(value_->get_string().data(), value_->get_string().size());
}

bool JsonField::boolean() const {
  if (value_ == nullptr) return false;
  if (!value_->is_bool()) return fail("wants true or false"), false;
  return value_->get_bool();
}

std::int64_t JsonField::integer(IntegerBounds bounds) const {
  if (value_ == nullptr) return bounds.min;
  std::optional<std::int64_t> value;
  if (value_->is_int64()) value = value_->get_int64();
  if (value_->is_string()) value = number_from<std::int64_t>(text());
  if (value_->is_double() && std::trunc(value_->get_double()) == value_->get_double() &&
      std::abs(value_->get_double()) < 9e15)
    value = static_cast<std::int64_t>(value_->get_double());
  if (!value) return fail("wants a whole number"), bounds.min;
  if (*value < bounds.min) return fail("wants at least " + std::to_string(bounds.min)), bounds.min;
  if (*value > bounds.max) return fail("wants at most " + std::to_string(bounds.max)), bounds.min;
  return *value;
}

double JsonField::number() const {
  if (value_ == nullptr) return 0;
  if (value_->is_double()) return value_->get_double();
  if (value_->is_int64()) return static_cast<double>(value_->get_int64());
  if (value_->is_string())
    if (const auto value = number_from<double>(text())) return *value;
  return fail("wants a number"), 0;
}

std::chrono::nanoseconds JsonField::duration() const {
  if (value_ == nullptr) return {};
  if (!value_->is_string()) return fail("wants a duration such as \"1.5s\""), std::chrono::nanoseconds();
  const auto duration = parse_duration(text());
  if (!duration) return fail("wants a duration such as \"1.5s\", not \"" + text() + "\""), std::chrono::nanoseconds();
  return *duration;
}

std::string JsonField::json() const { return value_ == nullptr ? "{}" : json::serialize(*value_); }

}  // namespace minigrpc::rpc
