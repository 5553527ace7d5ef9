// HTTP/1.1 as a server sees it: requests out of bytes, responses into bytes (RFC 9112). No I/O.
//
// Thread rule: one thread at a time for each object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minigrpc::net::http1 {

// Names are lower-case.
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string target;  // with its query
  Headers headers;
  std::string body;  // without chunks
  // Whether the connection may carry another request.
  bool keep_alive = true;
  bool is_http10 = false;

  // The first of that name, empty without one. Borrowed until the request changes.
  std::string_view header(std::string_view name) const;
  // The target without its query, and the query without its question mark.
  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const;
};

struct ParserLimits {
  std::size_t header_size_max;  // bytes up to the header's empty line, that included
  std::uint64_t body_size_max;
};

// One request after the other, out of bytes that come in any pieces.
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;

  enum class State : std::uint8_t { kNeedsMore, kComplete, kFailed };
  // Takes what it can from the front of `received`.
  State feed(std::string& received);
  // While it needs more: the client waits to be told that it may send its body (RFC 9110, 10.1.1). Once for a request.
  bool wants_continue();
  // The complete request; the parser begins the next one.
  Request take();
  // Of one that failed: the status to answer with.
  int failure_status() const { return failure_status_; }

 private:
  struct Impl;
  void begin();

  const ParserLimits limits_;
  std::unique_ptr<Impl> impl_;
  std::size_t header_size_ = 0;  // bytes taken while the header was not complete
  bool continue_asked_ = false;
  int failure_status_ = 400;
};

enum class Framing : std::uint8_t {
  kLength,   // the whole body follows at once
  kChunked,  // append_chunk() for each piece, and one without bytes at the end
  kToEnd,    // whatever comes until the connection closes: all that HTTP/1.0 knows of a stream
};

struct ResponseHead {
  int status = 200;
  std::string_view content_type{};
  Headers headers{};
  Framing framing = Framing::kLength;
  std::size_t length = 0;  // with kLength
  bool keep_alive = true;
};

std::string encode(const ResponseHead& head);
void append_chunk(std::string_view bytes, std::string& out);
// "Bad Request" for 400.
std::string_view reason_of(int status);

}  // namespace minigrpc::net::http1
