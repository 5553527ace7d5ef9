// JsonDocuments: cuts a stream of bytes into the JSON documents in it, without looking further into them.
//
// Documents stand one behind the other, with or without white space between. Thread rule: one thread.
#pragma once

#include <minigrpc/result.h>

#include <optional>
#include <string>
#include <string_view>

namespace minigrpc::cli {

class JsonDocuments {
 public:
  void feed(std::string_view bytes) { bytes_ += bytes; }
  // No more bytes will come.
  void end() { ended_ = true; }

  // The next document that is complete; nullopt where there is none (yet). INVALID_ARGUMENT for a bracket
  // that closes nothing, and for a last document that was not complete at end().
  Result<std::optional<std::string>> next();

 private:
  std::string bytes_;
  std::size_t scanned_ = 0;  // of bytes_: these need not be looked at again
  std::size_t depth_ = 0;    // open brackets
  bool in_string_ = false;
  bool escaped_ = false;  // behind a backslash
  bool ended_ = false;
};

}  // namespace minigrpc::cli
