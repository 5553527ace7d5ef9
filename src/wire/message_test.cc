#include "wire/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace minigrpc::wire {
namespace {

using Input = std::span<const std::byte>;

Input bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(Input bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// A Length-Prefixed-Message whose prefix says `size`, whatever `body` is.
std::string framed(char flag, std::uint32_t size, std::string_view body) {
  std::string text(kMessagePrefixSize, '\0');
  text[0] = flag;
  for (int i = 0; i < 4; ++i) text[4 - i] = static_cast<char>(size >> (8 * i));
  return text.append(body);
}
std::string framed(std::string_view body) { return framed(0, static_cast<std::uint32_t>(body.size()), body); }

struct Outcome {
  std::vector<std::string> messages;
  std::size_t compressed_count = 0;
  Status status;
};

// What a reader makes of `stream`, fed in pieces of `step` bytes, with or without the way without a copy.
Outcome read_all(std::string_view stream, std::size_t step, bool whole_first,
                 std::size_t size_max = 4 << 20) {
  MessageReader reader({.message_size_max = size_max});
  Outcome outcome;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    Input input = bytes_of(stream.substr(at, step));
    for (;;) {
      if (whole_first) {
        while (std::optional<MessageView> view = reader.take_whole(input)) {
          outcome.messages.push_back(text_of(view->bytes));
          outcome.compressed_count += view->compressed ? 1 : 0;
        }
      }
      Result<std::optional<Message>> message = reader.next(input);
      if (!message) {
        // Asked again, it says the same.
        EXPECT_EQ(reader.next(input).status(), message.status());
        EXPECT_EQ(reader.take_whole(input), std::nullopt) << "after an error";
        outcome.status = message.status();
        return outcome;
      }
      if (!*message) break;
      outcome.messages.emplace_back((*message)->bytes.text());
      outcome.compressed_count += (*message)->compressed ? 1 : 0;
    }
    EXPECT_TRUE(input.empty());
  }
  outcome.status = reader.finish();
  return outcome;
}

TEST(MessagePrefix, EncodesAndDecodes) {
  struct Row {
    MessagePrefix prefix;
    std::string_view bytes;
  };
  for (const Row& row :
       {Row{{false, 0}, std::string_view("\0\0\0\0\0", 5)}, Row{{true, 1}, std::string_view("\1\0\0\0\1", 5)},
        Row{{false, 0x01020304}, std::string_view("\0\1\2\3\4", 5)},
        Row{{true, 0xffffffff}, "\1\xff\xff\xff\xff"}}) {
    std::byte out[kMessagePrefixSize];
    encode_message_prefix(row.prefix, out);
    EXPECT_EQ(text_of(out), row.bytes);
    EXPECT_EQ(decode_message_prefix(out), row.prefix);
  }
  for (int flag = 2; flag < 256; ++flag) {
    const std::byte in[kMessagePrefixSize] = {static_cast<std::byte>(flag)};
    EXPECT_EQ(decode_message_prefix(in), std::nullopt);
  }
}

TEST(MessagePrefix, GoesIntoTheHeadroom) {
  Buffer message = Buffer::copy_of("stock");
  prepend_message_prefix(message);
  EXPECT_EQ(message.text(), framed("stock"));

  Buffer compressed = Buffer::copy_of("");
  prepend_compressed_message_prefix(compressed);
  EXPECT_EQ(compressed.text(), framed(1, 0, ""));
}

TEST(MessageReader, ReadsTheSameHoweverTheStreamIsCut) {
  const std::string large(200'000, 'x');
  const std::string stream =
      framed("first") + framed("") + framed(1, 6, "second") + framed(large) + framed("") + framed("last");
  for (std::size_t step :
       {1ul, 2ul, 3ul, 4ul, 5ul, 6ul, 7ul, 11ul, 1000ul, 16384ul, 70'000ul, stream.size()}) {
    for (bool whole_first : {false, true}) {
      const Outcome outcome = read_all(stream, step, whole_first);
      EXPECT_TRUE(outcome.status.ok()) << outcome.status.to_string();
      EXPECT_EQ(outcome.messages, (std::vector<std::string>{"first", "", "second", large, "", "last"}))
          << step;
      EXPECT_EQ(outcome.compressed_count, 1u);
    }
  }
}

TEST(MessageReader, EndsWithAnErrorHoweverTheStreamIsCut) {
  struct Row {
    std::string stream;
    std::size_t message_count;
    Status expected;
  };
  const Row rows[] = {
      {"", 0, Status()},
      {std::string(1, '\0'), 0, Status(StatusCode::kInternal, "the stream ended inside a message's prefix")},
      {framed("ok") + std::string(4, '\0'), 1,
       Status(StatusCode::kInternal, "the stream ended inside a message's prefix")},
      {framed(0, 3, ""), 0,
       Status(StatusCode::kInternal, "the stream ended inside a message, after 0 of 3 bytes")},
      {framed("ok") + framed(0, 3, "ab"), 1,
       Status(StatusCode::kInternal, "the stream ended inside a message, after 2 of 3 bytes")},
      {framed(2, 0, ""), 0,
       Status(StatusCode::kInternal, "received a message with the undefined compressed-flag 2")},
      {framed("ok") + framed('\xff', 1, "x"), 1,
       Status(StatusCode::kInternal, "received a message with the undefined compressed-flag 255")},
      {framed("0123456789") + framed("0123456789a"), 1,
       Status(StatusCode::kResourceExhausted,
              "received a message of 11 bytes, where at most 10 are allowed")},
      {framed(0, 0xffffffff, "x"), 0,
       Status(StatusCode::kResourceExhausted,
              "received a message of 4294967295 bytes, where at most 10 are allowed")},
      // An undefined flag makes the size worthless, so it is what is told.
      {framed(3, 0xffffffff, "x"), 0,
       Status(StatusCode::kInternal, "received a message with the undefined compressed-flag 3")},
  };
  for (const Row& row : rows) {
    for (std::size_t step : {1ul, 2ul, 3ul, 5ul, 6ul, 1000ul}) {
      for (bool whole_first : {false, true}) {
        const Outcome outcome = read_all(row.stream, step, whole_first, 10);
        EXPECT_EQ(outcome.status, row.expected) << outcome.status.to_string() << ", step " << step;
        EXPECT_EQ(outcome.messages.size(), row.message_count);
      }
    }
  }
}

TEST(MessageReader, TakesAWholeMessageWhereItLies) {
  MessageReader reader;
  const std::string stream = framed("one") + framed("two").substr(0, 7);
  Input input = bytes_of(stream);
  const std::optional<MessageView> view = reader.take_whole(input);
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(static_cast<const void*>(view->bytes.data()), stream.data() + kMessagePrefixSize);
  EXPECT_EQ(input.size(), 7u);
  // A part is left for next(), which keeps it; from then on only next() knows where the message began.
  EXPECT_EQ(reader.take_whole(input), std::nullopt);
  EXPECT_EQ(input.size(), 7u);
  EXPECT_FALSE(reader.next(input).value().has_value());
  const std::string rest = "o" + framed("three");
  input = bytes_of(rest);
  EXPECT_EQ(reader.take_whole(input), std::nullopt);
  EXPECT_EQ(reader.next(input).value()->bytes.text(), "two");
  EXPECT_EQ(text_of(reader.take_whole(input)->bytes), "three");
}

TEST(MessageReader, StopsAfterEachMessage) {
  MessageReader reader;
  const std::string stream = framed("one") + framed("two");
  Input input = bytes_of(stream);
  EXPECT_EQ(reader.next(input).value()->bytes.text(), "one");
  EXPECT_EQ(input.size(), framed("two").size());
}

TEST(MessageReader, AMessageReadCanBeSentOn) {
  MessageReader reader;
  for (const std::string& text : {std::string(), std::string("x"), std::string(100'000, 'x')}) {
    const std::string stream = framed(text);
    Input input = bytes_of(stream);
    Buffer message = std::move(reader.next(input).value()->bytes);
    prepend_message_prefix(message);
    EXPECT_EQ(message.text(), stream);
  }
}

}  // namespace
}  // namespace minigrpc::wire
