#include "input_source.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace minigrpc::cli {
namespace {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe(ends_.data()), 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writer();
  }
  int reader() const { return ends_[0]; }
  void write(std::string_view text) {
    EXPECT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(InputSource, GivesTheDocumentsOfAText) {
  InputSource source("{} 1");
  EXPECT_EQ(source.next()->value(), "{}");
  EXPECT_EQ(source.next()->value(), "1");
  EXPECT_FALSE(source.next()->has_value());
}

TEST(InputSource, GivesEachDocumentAsSoonAsItIsThere) {
  Pipe pipe;
  InputSource source(pipe.reader());
  pipe.write("{\"a\":1}{\"a\"");
  EXPECT_EQ(source.next()->value(), "{\"a\":1}");
  pipe.write(":2}");
  EXPECT_EQ(source.next()->value(), "{\"a\":2}");
  pipe.close_writer();
  EXPECT_FALSE(source.next()->has_value());
  EXPECT_FALSE(source.next()->has_value());
}

TEST(InputSource, RefusesAnEndInTheMiddle) {
  Pipe pipe;
  InputSource source(pipe.reader());
  pipe.write("{\"a\":");
  pipe.close_writer();
  EXPECT_FALSE(source.next());
}

TEST(InputSource, CloseEndsWhatBlocks) {
  Pipe pipe;
  InputSource source(pipe.reader());
  std::thread closing([&] { source.close(); });
  EXPECT_FALSE(source.next()->has_value());
  closing.join();
}

}  // namespace
}  // namespace minigrpc::cli
