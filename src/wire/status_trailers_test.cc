#include "wire/status_trailers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace minigrpc::wire {
namespace {

using testing::ElementsAre;

Status peer(StatusCode code, std::string message = {}, std::string details = {}) {
  return Status(code, std::move(message), std::move(details), StatusOrigin::kPeer);
}

TEST(StatusTrailers, SaysOnlyWhatIsThere) {
  EXPECT_THAT(StatusTrailers(Status()).headers(), ElementsAre(HeaderView{"grpc-status", "0"}));

  const Status bare(StatusCode::kUnauthenticated, "");
  EXPECT_THAT(StatusTrailers(bare).headers(), ElementsAre(HeaderView{"grpc-status", "16"}));

  const Status plain(StatusCode::kNotFound, "no such product");
  const StatusTrailers plain_trailers(plain);
  EXPECT_THAT(plain_trailers.headers(),
              ElementsAre(HeaderView{"grpc-status", "5"}, HeaderView{"grpc-message", "no such product"}));
  EXPECT_EQ(plain_trailers.headers()[1].value.data(), plain.message().data()) << "copied for nothing";

  const Status full(StatusCode::kInternal, "100%\n", std::string("\0\xff", 2));
  EXPECT_THAT(StatusTrailers(full).headers(),
              ElementsAre(HeaderView{"grpc-status", "13"}, HeaderView{"grpc-message", "100%25%0A"},
                          HeaderView{"grpc-status-details-bin", "AP8"}));
}

TEST(StatusTrailers, EveryCodeComesBack) {
  for (std::uint32_t number = 0; number <= 16; ++number) {
    const StatusCode code = status_code_from_number(number);
    const Status status = code == StatusCode::kOk
                              ? peer(code)
                              : peer(code, " \t\xe4\xbd\xa0 %41\n ", std::string("\x08\x05\0", 3));
    EXPECT_EQ(status_from_trailers(StatusTrailers(status).headers(), 200), status) << number;
  }
}

TEST(StatusFromTrailers, Reads) {
  struct Row {
    const char* what;
    std::vector<HeaderView> trailers;
    int http_status;
    Status expected;
  };
  const Row rows[] = {
      {"OK", {{"grpc-status", "0"}}, 200, peer(StatusCode::kOk)},
      {"a leading zero", {{"grpc-status", "05"}}, 200, peer(StatusCode::kNotFound)},
      {"anywhere among others",
       {{"x", "y"}, {"grpc-message", "a%20b"}, {"grpc-status", "9"}, {"grpc-statuses", "1"}},
       200,
       peer(StatusCode::kFailedPrecondition, "a b")},
      {"grpc-status wins over HTTP's", {{"grpc-status", "0"}}, 503, peer(StatusCode::kOk)},
      {"the first counts", {{"grpc-status", "5"}, {"grpc-status", "0"}}, 200, peer(StatusCode::kNotFound)},
      {"a code of the future",
       {{"grpc-status", "17"}, {"grpc-message", "m"}},
       200,
       peer(StatusCode::kUnknown, "m")},
      {"not a number", {{"grpc-status", "OK"}}, 200, peer(StatusCode::kUnknown)},
      {"empty", {{"grpc-status", ""}}, 200, peer(StatusCode::kUnknown)},
      {"negative", {{"grpc-status", "-1"}}, 200, peer(StatusCode::kUnknown)},
      {"blank", {{"grpc-status", " 0"}}, 200, peer(StatusCode::kUnknown)},
      {"2 to the 32nd", {{"grpc-status", "4294967296"}}, 200, peer(StatusCode::kUnknown)},
      {"an escape that is none",
       {{"grpc-status", "3"}, {"grpc-message", "50%"}},
       200,
       peer(StatusCode::kInvalidArgument, "50%")},
      {"padded details",
       {{"grpc-status", "3"}, {"grpc-status-details-bin", "Zg=="}},
       200,
       peer(StatusCode::kInvalidArgument, "", "f")},
      {"details that are not base64",
       {{"grpc-status", "3"}, {"grpc-message", "m"}, {"grpc-status-details-bin", "!"}},
       200,
       peer(StatusCode::kInvalidArgument, "m")},
      {"nothing", {}, 200, Status(StatusCode::kUnknown, "the response ended without grpc-status")},
      {"no grpc-status",
       {{"grpc-message", "m"}},
       200,
       Status(StatusCode::kUnknown, "the response ended without grpc-status")},
      {"a proxy's answer",
       {{"content-type", "text/html"}},
       503,
       Status(StatusCode::kUnavailable, "the response ended without grpc-status, its HTTP status is 503")},
  };
  for (const Row& row : rows) {
    const Status status = status_from_trailers(row.trailers, row.http_status);
    EXPECT_EQ(status, row.expected) << row.what << ": " << status.to_string();
  }
}

}  // namespace
}  // namespace minigrpc::wire
