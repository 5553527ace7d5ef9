#include "wire/timeout.h"

#include <gtest/gtest.h>

#include <string>

namespace minigrpc::wire {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

TEST(ParseTimeout, ReadsEveryUnit) {
  struct Row {
    std::string_view text;
    nanoseconds expected;
  };
  for (const Row& row : {Row{"1H", 1h}, Row{"2M", 2min}, Row{"3S", 3s}, Row{"4m", 4ms}, Row{"5u", 5us},
                         Row{"6n", 6ns}, Row{"0S", 0s}, Row{"0000001S", 1s}, Row{"99999999n", 99'999'999ns},
                         Row{"99999999S", 99'999'999s}, Row{"2562047H", 2'562'047h}}) {
    EXPECT_EQ(parse_timeout(row.text), row.expected) << row.text;
  }
}

TEST(ParseTimeout, SaturatesWhatNanosecondsCannotHold) {
  for (std::string_view text : {"2562048H", "99999999H"})
    EXPECT_EQ(parse_timeout(text), nanoseconds::max()) << text;
  // The longest number of minutes still fits: 6e18 ns.
  EXPECT_EQ(parse_timeout("99999999M"), 99'999'999min);
}

TEST(ParseTimeout, RefusesEverythingElse) {
  for (std::string_view text : {"", "S", "1", "123456789n", "000000001S", "-1S", "+1S", " 1S", "1S ", "1 S",
                                "1s", "1h", "1.5S", "1e3m", "0x1S", "1mS", "1Sm", "1\xc2\xb5"}) {
    EXPECT_EQ(parse_timeout(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(parse_timeout(std::string_view("1\0S", 3)), std::nullopt);
}

TEST(FormatTimeout, PicksTheFinestUnitAndRoundsUp) {
  struct Row {
    nanoseconds timeout;
    std::string_view expected;
  };
  for (const Row& row :
       {Row{0ns, "0n"}, Row{-1s, "0n"}, Row{nanoseconds::min(), "0n"}, Row{1ns, "1n"},
        Row{99'999'999ns, "99999999n"}, Row{100'000'000ns, "100000u"}, Row{100'000'001ns, "100001u"},
        Row{99'999'999us, "99999999u"}, Row{99'999'999us + 1ns, "100000m"}, Row{1h, "3600000m"},
        Row{100'000s, "100000S"}, Row{100'000s + 1ns, "100001S"}, Row{99'999'999s + 1ns, "1666667M"},
        Row{nanoseconds::max(), "2562048H"}}) {
    char storage[12];
    EXPECT_EQ(format_timeout(row.timeout, storage), row.expected);
  }
}

TEST(FormatTimeout, IsReadBackAsNoLessAndHardlyMore) {
  for (std::int64_t count = 1; count > 0 && count < nanoseconds::max().count() / 7; count = count * 7 + 3) {
    char storage[12];
    const nanoseconds timeout(count);
    const std::optional<nanoseconds> back = parse_timeout(format_timeout(timeout, storage));
    ASSERT_TRUE(back.has_value()) << count;
    EXPECT_GE(*back, timeout);
    // A unit is coarse by at most a factor of 1000 when the finer one needed nine digits.
    EXPECT_LE(*back - timeout, timeout / 100'000 + 1ns) << count;
  }
}

}  // namespace
}  // namespace minigrpc::wire
