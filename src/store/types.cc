#include "store/types.h"

#include <algorithm>
#include <cstring>

namespace minigrpc::store {

namespace {
// The first chunk is for the one key of a point read; each one after is twice as large.
constexpr std::size_t kFirstChunkSize = 256;
constexpr std::size_t kChunkSizeMax = 64 * 1024;

bool read_only(const std::vector<RequestOp>& ops) {
  return std::all_of(ops.begin(), ops.end(), [](const RequestOp& op) {
    if (std::holds_alternative<RangeRequest>(op)) return true;
    const auto* nested = std::get_if<std::unique_ptr<TxnRequest>>(&op);
    return nested != nullptr && is_read_only(**nested);
  });
}

bool puts(const std::vector<RequestOp>& ops) {
  return std::any_of(ops.begin(), ops.end(), [](const RequestOp& op) {
    if (std::holds_alternative<PutRequest>(op)) return true;
    const auto* nested = std::get_if<std::unique_ptr<TxnRequest>>(&op);
    return nested != nullptr && has_puts(**nested);
  });
}
}  // namespace

std::string_view ByteArena::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (bytes.size() > left_) {
    // A large run gets a chunk of its own, and the open one stays open for small runs.
    const std::size_t chunk_size =
        std::min(kFirstChunkSize << std::min<std::size_t>(chunks_.size(), 8), kChunkSizeMax);
    const bool large = bytes.size() > chunk_size / 4;
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(large ? bytes.size() : chunk_size));
    if (large) {
      std::memcpy(chunks_.back().get(), bytes.data(), bytes.size());
      return {chunks_.back().get(), bytes.size()};
    }
    next_ = chunks_.back().get();
    left_ = chunk_size;
  }
  std::memcpy(next_, bytes.data(), bytes.size());
  const std::string_view copied(next_, bytes.size());
  next_ += bytes.size();
  left_ -= bytes.size();
  return copied;
}

bool is_read_only(const TxnRequest& request) {
  return read_only(request.success) && read_only(request.failure);
}

bool has_puts(const TxnRequest& request) { return puts(request.success) || puts(request.failure); }

}  // namespace minigrpc::store
