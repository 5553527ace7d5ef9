// LoadRequests: what bench sends, request by request: the same bytes again and again, or templates filled in
// anew.
//
// Thread rule: any thread, each with a generator of its own.
#pragma once

#include <minigrpc/generic.h>

#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "data_template.h"

namespace minigrpc::cli {

class LoadRequests {
 public:
  // From JSON to the bytes of a message.
  using Serialize = std::function<Result<std::string>(const std::string& json)>;

  // Documents that take turns; at least one. INVALID_ARGUMENT where one does not fit the message.
  static Result<LoadRequests> make(const std::vector<std::string>& documents, Serialize serialize);
  LoadRequests(LoadRequests&& other) noexcept
      : fixed_(std::move(other.fixed_)),
        templates_(std::move(other.templates_)),
        serialize_(std::move(other.serialize_)) {}

  std::size_t document_count() const { return templates_.empty() ? fixed_.size() : templates_.size(); }
  // The request with that number: one that stays, or else one made in `own`. Null where a template made what
  // does not fit the message.
  const RawMessage* request(const DataTemplate::Values& values, std::mt19937_64& random, RawMessage& own);

 private:
  LoadRequests() = default;
  std::vector<RawMessage> fixed_;
  std::vector<DataTemplate> templates_;  // empty where all documents are constant
  Serialize serialize_;
  std::mutex mutex_;  // of serialize_
};

}  // namespace minigrpc::cli
