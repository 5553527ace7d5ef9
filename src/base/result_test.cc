// Result: a value or a failure, through every move and copy.
#include <gtest/gtest.h>
#include <minigrpc/result.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace minigrpc {
namespace {

using Text = Result<std::string>;
const std::string kLong(100, 'x');  // beyond what a string holds in itself

Text failure() { return Status(StatusCode::kNotFound, kLong); }

TEST(Result, IsCopiedAndMovedAsWhatItIs) {
  const Text value = kLong;
  const Text error = failure();
  for (const Text& one : {value, error}) {
    Text copy = one;
    EXPECT_EQ(copy.has_value(), one.has_value());
    const Text moved = std::move(copy);
    EXPECT_EQ(moved.status(), one.status());
    EXPECT_EQ(moved.has_value() ? *moved : "", one.has_value() ? *one : "");
  }
}

TEST(Result, TakesTheOthersPlace) {
  const Text value = kLong;
  const Text error = failure();
  for (const Text& before : {value, error}) {
    for (const Text& after : {value, error}) {
      Text assigned = before;
      assigned = after;
      EXPECT_EQ(assigned.status(), after.status());
      EXPECT_EQ(assigned.has_value() ? *assigned : "", after.has_value() ? kLong : "");
      assigned = Text(after);
      EXPECT_EQ(assigned.has_value(), after.has_value());
    }
  }
}

TEST(Result, HoldsWhatOnlyMoves) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  Result<std::unique_ptr<int>> moved = std::move(result);
  EXPECT_EQ(**moved, 7);
}

struct Throwing {
  std::shared_ptr<int> held = std::make_shared<int>(1);
  bool throws = false;
  Throwing() = default;
  Throwing(Throwing&& other) : held(other.held), throws(other.throws) {
    if (throws) throw std::runtime_error("no");
  }
};

TEST(Result, IsAFailureWhereAMoveThrew) {
  Result<Throwing> target = Throwing();
  Result<Throwing> source = Throwing();
  const std::weak_ptr<int> held = target->held;
  source->throws = true;
  EXPECT_THROW(target = std::move(source), std::runtime_error);
  EXPECT_EQ(target.status().code(), StatusCode::kUnknown);
  EXPECT_TRUE(held.expired());
}

}  // namespace
}  // namespace minigrpc
