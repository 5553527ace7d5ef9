// InputSource: JSON documents for a call, from a text or from a file descriptor that may never end.
//
// Thread rule: one thread at a time, but for close().
#pragma once

#include <minigrpc/result.h>

#include <optional>
#include <string>

#include "json_documents.h"

namespace minigrpc::cli {

class InputSource {
 public:
  // All documents at once.
  explicit InputSource(const std::string& text);
  // `descriptor` is borrowed for the life of the source.
  explicit InputSource(int descriptor);
  ~InputSource();
  InputSource(const InputSource&) = delete;
  InputSource& operator=(const InputSource&) = delete;

  // Blocks until there is one more document; nullopt at the end, and after close().
  Result<std::optional<std::string>> next();
  // Ends a next() that blocks, and every later one. From any thread.
  void close();

 private:
  JsonDocuments documents_;
  int descriptor_ = -1;
  int wake_ = -1;  // an eventfd, readable once closed
};

}  // namespace minigrpc::cli
