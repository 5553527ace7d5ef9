#include "comments.h"

#include <gtest/gtest.h>

namespace minigrpc::plugin {
namespace {

TEST(CommentLine, KeepsWords) {
  EXPECT_EQ(comment_line("The stock of one product: 80 % of */ and $x$."), "The stock of one product: 80 % of */ and $x$.");
}

TEST(CommentLine, NeverJoinsTheNextLine) {
  EXPECT_EQ(comment_line("C:\\stock\\"), "C:\\stock\\ //");
  EXPECT_EQ(comment_line("C:\\stock\\ \t"), "C:\\stock\\ //");
  EXPECT_EQ(comment_line("why?\?/"), "why?\?/ //");
}

TEST(CommentLine, NeverEndsEarly) {
  EXPECT_EQ(comment_line("a\rb\nc\vd\fe"), "a b c d e");
  EXPECT_EQ(comment_line(std::string_view("a\0b", 3)), "a b");
  EXPECT_EQ(comment_line("a\r"), "a");
  EXPECT_EQ(comment_line("a\\\r"), "a\\ //");
}

TEST(CommentLine, DoesNotTurnTheDirectionOfWriting) {
  EXPECT_EQ(comment_line("a\u202eb\u2066c\u2069"), "a?b?c?");
  EXPECT_EQ(comment_line("ä\u2029\u2065\u206a"), "ä\u2029\u2065\u206a");
  EXPECT_EQ(comment_line("cut \xe2\x80"), "cut \xe2\x80");
}

TEST(CommentBlock, DropsEmptyLinesAtBothEnds) {
  EXPECT_EQ(comment_block("\n \n One.\n\n Two.\n \n\n"), "// One.\n//\n// Two.\n");
  EXPECT_EQ(comment_block(" \n\t\n"), "");
  EXPECT_EQ(comment_block(""), "");
}

TEST(CommentBlock, KeepsIndentation) { EXPECT_EQ(comment_block("a\n   b\n"), "// a\n//   b\n"); }

}  // namespace
}  // namespace minigrpc::plugin
