// The outcome of an operation: gRPC's status code, a message, optional details, and who said so.
//
// A value type; copies share nothing. Thread rule: like std::string.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace minigrpc {

// gRPC's status codes, with their numbers on the wire (grpc: doc/statuscodes.md).
enum class StatusCode : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "NOT_FOUND" for kNotFound, as gRPC's documents write it.
std::string_view status_code_name(StatusCode code);

// "NotFound" for kNotFound, as Go's gRPC writes it, and with it logs and dashboards everywhere.
std::string_view status_code_go_name(StatusCode code);

// The code with that number; kUnknown for a number that gRPC does not define.
StatusCode status_code_from_number(std::uint32_t number);

// Who found out: retries, discovery and logs treat a peer's answer and our own inference differently.
enum class StatusOrigin : std::uint8_t {
  kLocal,  // this side inferred it: no connection, a deadline, a malformed answer
  kPeer,   // the peer's trailers (or the handler) said so
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message, std::string details = {},
         StatusOrigin origin = StatusOrigin::kLocal)
      : code_(code), origin_(origin) {
    if (!message.empty() || !details.empty())
      words_ = std::make_unique<Words>(Words{std::move(message), std::move(details)});
  }
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other) : code_(other.code_), origin_(other.origin_), words_(other.copy_of_words()) {}
  Status& operator=(const Status& other) { return *this = Status(other); }
  ~Status() = default;

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  // For people; a peer's message is passed on unchanged.
  const std::string& message() const { return words_ ? words_->message : no_words(); }
  // A serialized google.rpc.Status (grpc-status-details-bin), or empty.
  const std::string& details() const { return words_ ? words_->details : no_words(); }
  StatusOrigin origin() const { return origin_; }
  void set_origin(StatusOrigin origin) { origin_ = origin; }

  // "NOT_FOUND: no such product"; "OK" for success.
  std::string to_string() const;

  friend bool operator==(const Status& a, const Status& b) {
    return a.code_ == b.code_ && a.origin_ == b.origin_ && a.message() == b.message() &&
           a.details() == b.details();
  }

 private:
  // Apart, since most statuses are OK and are handed on several times in a call.
  struct Words {
    std::string message;
    std::string details;
  };
  static const std::string& no_words();
  std::unique_ptr<Words> copy_of_words() const { return words_ ? std::make_unique<Words>(*words_) : nullptr; }

  StatusCode code_ = StatusCode::kOk;
  StatusOrigin origin_ = StatusOrigin::kLocal;
  std::unique_ptr<Words> words_;
};

}  // namespace minigrpc
