// DataTemplate: JSON with places that each request fills in anew.
//
//   {"id": {{n}}, "name": "{{string 8}}"}
//
//   {{n}}           the number of the request, from 0
//   {{worker}}      which of the concurrent callers makes it, from 0
//   {{random A B}}  an integer from A to B
//   {{string N}}    N random letters
//   {{uuid}}        a random UUID
//   {{time}}        milliseconds since 1970
//
// Thread rule: fill() from any thread, with a generator of its own.
#pragma once

#include <minigrpc/result.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::cli {

class DataTemplate {
 public:
  // What each request has of its own.
  struct Values {
    std::uint64_t number = 0;
    std::uint64_t worker = 0;
    std::int64_t time_ms = 0;
  };

  // INVALID_ARGUMENT names what is no place.
  static Result<DataTemplate> parse(std::string_view text);

  // Whether every request is the same.
  bool constant() const { return parts_.size() <= 1 && (parts_.empty() || parts_[0].kind == Kind::kText); }
  std::string fill(const Values& values, std::mt19937_64& random) const;

 private:
  enum class Kind : std::uint8_t { kText, kNumber, kWorker, kRandom, kString, kUuid, kTime };
  struct Part {
    Kind kind = Kind::kText;
    std::string text{};
    std::int64_t low = 0;
    std::int64_t high = 0;
  };
  static Result<Part> parse_place(std::string_view place);
  std::vector<Part> parts_;
};

}  // namespace minigrpc::cli
