#include "load_requests.h"

#include <algorithm>
#include <chrono>

namespace minigrpc::cli {

namespace {

std::int64_t unix_time_ms() {
  using std::chrono::milliseconds;
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Result<LoadRequests> LoadRequests::make(const std::vector<std::string>& documents, Serialize serialize) {
  LoadRequests requests;
  std::mt19937_64 random;
  for (const std::string& document : documents) {
    Result<DataTemplate> parsed = DataTemplate::parse(document);
    if (!parsed) return parsed.error();
    // Also of a template, so that a mistake shows before the first call.
    Result<std::string> bytes = serialize(parsed->fill({}, random));
    if (!bytes) return bytes.error();
    requests.fixed_.emplace_back(*std::move(bytes));
    requests.templates_.push_back(*std::move(parsed));
  }
  if (std::ranges::all_of(requests.templates_, &DataTemplate::constant)) requests.templates_.clear();
  requests.serialize_ = std::move(serialize);
  return requests;
}

const RawMessage* LoadRequests::request(const DataTemplate::Values& values, std::mt19937_64& random,
                                        RawMessage& own) {
  const std::size_t index = values.number % fixed_.size();
  if (templates_.empty() || templates_[index].constant()) return &fixed_[index];
  DataTemplate::Values filled = values;
  filled.time_ms = unix_time_ms();
  const std::string json = templates_[index].fill(filled, random);
  std::lock_guard lock(mutex_);
  Result<std::string> bytes = serialize_(json);
  if (!bytes) return nullptr;
  own.bytes = *std::move(bytes);
  return &own;
}

}  // namespace minigrpc::cli
