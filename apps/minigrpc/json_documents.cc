#include "json_documents.h"

#include <algorithm>

namespace minigrpc::cli {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

Result<std::optional<std::string>> JsonDocuments::next() {
  if (scanned_ == 0) bytes_.erase(0, std::min(bytes_.find_first_not_of(" \t\n\r"), bytes_.size()));
  const auto take = [this](std::size_t size) {
    std::optional<std::string> document = bytes_.substr(0, size);
    bytes_.erase(0, size);
    scanned_ = 0;
    return document;
  };
  // Whether the document is a number or a word, which ends where something else begins.
  const bool is_bare = !bytes_.empty() && bytes_[0] != '{' && bytes_[0] != '[' && bytes_[0] != '"';
  for (; scanned_ < bytes_.size(); ++scanned_) {
    const char c = bytes_[scanned_];
    if (in_string_) {
      if (escaped_)
        escaped_ = false;
      else if (c == '\\')
        escaped_ = true;
      else if (c == '"' && (in_string_ = false, depth_ == 0))
        return take(scanned_ + 1);
      continue;
    }
    if (is_bare && depth_ == 0 && scanned_ > 0 && (is_blank(c) || c == '{' || c == '[' || c == '"'))
      return take(scanned_);
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c != '}' && c != ']') continue;
    if (depth_ == 0)
      return Status(StatusCode::kInvalidArgument, std::string("JSON: '") + c + "' closes nothing");
    if (--depth_ == 0) return take(scanned_ + 1);
  }
  if (!ended_ || bytes_.empty()) return std::optional<std::string>();
  if (is_bare && depth_ == 0) return take(bytes_.size());
  return Status(StatusCode::kInvalidArgument, "JSON: the input ends inside a document");
}

}  // namespace minigrpc::cli
