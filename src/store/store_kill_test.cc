// Processes die in the middle of writing.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

enum class Commits { kToJournal, kToDatabase };

class StoreKill : public ::testing::TestWithParam<Commits> {
 protected:
  std::unique_ptr<Store> open() const {
    Options options{.directory = directory_.path()};
    if (GetParam() == Commits::kToDatabase) return open_store(options);
    options.journal_size = 30'000;  // a checkpoint every few commits
    return open_durable_store(options);
  }
  // Writes until it dies. After each commit it says the last revision that it was told is durable.
  [[noreturn]] void write_for_ever(int acknowledge_fd) const {
    const auto store = open();
    std::int64_t last = read(*store).revision();
    for (;;) {
      WriteBatch batch = begin(*store);
      for (int i = 0; i < 3; ++i) {
        ++last;
        const std::string key = "k" + std::to_string(last % 50);
        const std::string value = "value of " + std::to_string(last) + std::string(last % 7 == 0 ? 5000 : 0, 'x');
        (void)batch.put({.key = key, .value = value});
      }
      if (last % 10 == 0) (void)batch.compact(last - 60);
      (void)batch.compact_step(20);
      Result<Committed> committed = batch.commit();
      if (!committed || committed->revision != last) ::_exit(1);
      if (::write(acknowledge_fd, &committed->revision, sizeof committed->revision) < 0) ::_exit(2);
    }
  }

  const TemporaryDirectory directory_;
};

TEST_P(StoreKill, EveryAcknowledgedRevisionSurvives) {
  std::mt19937_64 random(11);
  std::int64_t acknowledged = 1;
  for (int round = 0; round < 20; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe_fds[0]);
      write_for_ever(pipe_fds[1]);
    }
    ::close(pipe_fds[1]);
    // Dies after so many acknowledgements, wherever it is then.
    std::uint64_t wanted = 1 + random() % 300;
    std::int64_t revision = 0;
    while (::read(pipe_fds[0], &revision, sizeof revision) == sizeof revision) {
      acknowledged = revision;
      if (--wanted == 0) ::kill(child, SIGKILL);
    }
    ::close(pipe_fds[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed with status " << WEXITSTATUS(status);

    const auto store = open();
    const ReadView view = read(*store);
    ASSERT_GE(view.revision(), acknowledged);
    EXPECT_EQ((view.revision() - 1) % 3, 0) << "whole batches only";
    for (std::int64_t at = std::max<std::int64_t>(2, acknowledged - 40); at <= view.revision(); ++at) {
      const std::string key = "k" + std::to_string(at % 50);
      Result<RangeResult> range = view.range({.keys = {key, {}}, .revision = at});
      ASSERT_TRUE(range.has_value()) << range.error().to_string();
      ASSERT_EQ(range->kvs.size(), 1u) << at;
      EXPECT_EQ(range->kvs[0].value.substr(0, range->kvs[0].value.find('x')), "value of " + std::to_string(at));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Store, StoreKill, ::testing::Values(Commits::kToJournal, Commits::kToDatabase),
                         [](const auto& one) { return one.param == Commits::kToJournal ? "journal" : "database"; });

}  // namespace
}  // namespace minigrpc::store::test
