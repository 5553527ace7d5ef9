// RawConnection: the client's end of HTTP/2 with nothing between the benchmark and the bytes: requests are
// written out beforehand, answers are counted frame by frame. It blocks, so one knows what is on its way:
// exactly what was sent and not yet answered.
//
// Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

class RawConnection {
 public:
  // Connects to PORT of 127.0.0.1 and says what HTTP/2 (RFC 9113, section 3.4) wants said first. Failure ends
  // the program, here and below, with a word on standard error.
  RawConnection(std::uint16_t port, std::string_view path);
  RawConnection(RawConnection&& other) noexcept;
  RawConnection& operator=(RawConnection&&) = delete;
  ~RawConnection();

  // Adds the headers of one more call to what send() sends; its stream's id.
  std::uint32_t begin_call();
  enum class Ends { kNo, kYes };
  // Adds a gRPC message of that call, and the end of its requests if `ends`.
  void add_message(std::uint32_t stream, std::string_view message, Ends ends);
  void send();

  // Reads until there were `messages` more messages, each of them `expected`, and `ends` more streams have
  // ended.
  void receive(std::size_t messages, std::size_t ends, std::string_view expected);

 private:
  struct FrameHeader {
    std::size_t size;
    std::uint8_t type;
    std::uint8_t flags;
    std::uint32_t stream;
  };
  void add_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload);
  void read_frames(std::string_view expected);
  void on_frame(const FrameHeader& frame, std::string_view payload, std::string_view expected);

  int socket_ = -1;
  std::string first_headers_;  // puts the fields into the peer's HPACK table; later ones are indexes into it
  std::uint32_t next_stream_ = 1;
  std::string output_;
  std::string input_;
  std::size_t messages_ = 0;
  std::size_t ends_ = 0;
};

}  // namespace bench
