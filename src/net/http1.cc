#include "net/http1.h"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <limits>
#include <optional>

namespace minigrpc::net::http1 {

namespace {

namespace http = boost::beast::http;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string text_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct RequestParser::Impl {
  http::request_parser<http::string_body> parser;
};

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

std::string_view Request::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

RequestParser::RequestParser(ParserLimits limits) : limits_(limits) { begin(); }
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

void RequestParser::begin() {
  impl_ = std::make_unique<Impl>();
  // feed() counts: Beast's own bound lies some bytes further where a header comes in one piece than where it comes in several.
  impl_->parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  impl_->parser.body_limit(limits_.body_size_max);
  impl_->parser.eager(true);
  header_size_ = 0;
  continue_asked_ = false;
}

RequestParser::State RequestParser::feed(std::string& received) {
  auto& parser = impl_->parser;
  while (!parser.is_done()) {
    if (received.empty()) return State::kNeedsMore;
    // That many end every body of chunks. Of fewer Beast asserts that they cannot come, though they do.
    constexpr std::string_view kLastChunk = "0\r\n\r\n";
    if (parser.is_header_done() && parser.chunked() && received.size() < kLastChunk.size())
      return State::kNeedsMore;
    // A header may take so many bytes of the stream, and no more are shown while it lasts.
    const bool in_header = !parser.is_header_done();
    const std::size_t room = in_header ? limits_.header_size_max - header_size_ : received.size();
    const std::size_t shown = std::min(received.size(), room);
    const bool all_is_shown = shown == received.size();
    boost::system::error_code error;
    const std::size_t taken = parser.put(boost::asio::buffer(received.data(), shown), error);
    received.erase(0, taken);
    if (in_header) header_size_ += taken;
    if (error == http::error::need_more || (!error && taken == 0)) {
      if (!parser.is_header_done() && shown == room) {
        failure_status_ = 431;
        return State::kFailed;
      }
      if (all_is_shown) return State::kNeedsMore;
      continue;
    }
    if (!error) continue;
    failure_status_ = error == http::error::body_limit ? 413 : 400;
    return State::kFailed;
  }
  return State::kComplete;
}

bool RequestParser::wants_continue() {
  const auto& parser = impl_->parser;
  if (continue_asked_ || !parser.is_header_done() || parser.is_done()) return false;
  continue_asked_ = true;
  return parser.get().version() >= 11 && lower(text_of(parser.get()[http::field::expect])) == "100-continue";
}

Request RequestParser::take() {
  auto message = impl_->parser.release();
  Request request;
  request.method = text_of(message.method_string());
  request.target = text_of(message.target());
  for (const auto& field : message)
    request.headers.emplace_back(lower(text_of(field.name_string())), text_of(field.value()));
  request.keep_alive = message.keep_alive();
  request.is_http10 = message.version() < 11;
  request.body = std::move(message.body());
  begin();
  return request;
}

std::string_view reason_of(int status) {
  const boost::beast::string_view reason = http::obsolete_reason(static_cast<http::status>(status));
  return {reason.data(), reason.size()};
}

std::string encode(const ResponseHead& head) {
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + " ";
  text.append(reason_of(head.status)).append("\r\n");
  if (!head.content_type.empty()) text.append("Content-Type: ").append(head.content_type).append("\r\n");
  for (const auto& [name, value] : head.headers) text.append(name).append(": ").append(value).append("\r\n");
  if (head.framing == Framing::kChunked)
    text.append("Transfer-Encoding: chunked\r\n");
  else if (head.framing == Framing::kLength)
    text.append("Content-Length: ").append(std::to_string(head.length)).append("\r\n");
  if (!head.keep_alive) text.append("Connection: close\r\n");
  return text.append("\r\n");
}

void append_chunk(std::string_view bytes, std::string& out) {
  char size[16];
  const auto end = std::to_chars(std::begin(size), std::end(size), bytes.size(), 16).ptr;
  out.append(size, end).append("\r\n").append(bytes).append("\r\n");
}

}  // namespace minigrpc::net::http1
