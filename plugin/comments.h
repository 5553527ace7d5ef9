// Carries the comments of a .proto over into C++, whatever they contain.
//
// Thread rule: none; everything here is a function of its arguments.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

namespace minigrpc::plugin {

// `text` on one line that a `//` comment may end with: no control characters, no characters that turn the direction of
// writing (they let a comment show code that is not there), and no end that would join the next line to the comment
// (a backslash, or its trigraph).
std::string comment_line(std::string_view text);

// `text` as lines of `// …`, each ending in a newline; empty for a text without words.
std::string comment_block(std::string_view text);

// The comment block of a service or method: what stands before it, then what stands behind it on its line. Detached
// comments belong to nothing and are left out.
template <class Descriptor>
std::string comments_of(const Descriptor& descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return {};
  return comment_block(location.leading_comments) + comment_block(location.trailing_comments);
}

}  // namespace minigrpc::plugin
