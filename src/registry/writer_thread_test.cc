#include "registry/writer_thread.h"

#include <minigrpc/task.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "store/lmdb.h"

namespace minigrpc::registry {
namespace {

class WriterThreadTest : public ::testing::Test {
 protected:
  WriterThreadTest()
      : store_(
            store::Store::open(
                {.directory = {}, .identity = {1, 2}, .now_ms = now_ms(), .fsync = false, .faults = &faults_})
                .value()),
        hub_(store_->read()->revision()),
        log_(LogSink()),
        writer_(*store_, hub_, counters_, log_) {
    hub_.start(everything_, outbox_, 0);
  }
  ~WriterThreadTest() override {
    writer_.stop();
    hub_.stop(*everything_);
  }

  Task<Status> put(std::string key, store::LeaseId lease = 0) {
    auto body = [&](store::WriteBatch& batch) -> Status {
      return batch.put({.key = key, .value = "v", .lease = lease}).status();
    };
    auto writing = writer_.write(body);
    Status status = co_await writing;
    co_return status;
  }
  // All at once, with `first` in front of them in the queue.
  std::vector<Status> put_many(int count, Task<Status> first) {
    std::vector<Task<Status>> tasks;
    tasks.push_back(std::move(first));
    for (int i = 0; i < count; ++i) tasks.push_back(put("k" + std::to_string(i)));
    std::vector<Status> statuses = sync_wait(when_all(std::move(tasks)));
    statuses.erase(statuses.begin());
    return statuses;
  }
  // The plan is the writer thread's to read, so it is set there.
  Task<Status> plan_failure(int error, std::int64_t writes_before) {
    auto body = [&](store::Store&) {
      faults_.error = error;
      faults_.writes_before_failure = writes_before;
      return Status();
    };
    auto planning = writer_.inspect(body);
    Status status = co_await planning;
    co_return status;
  }
  // The revisions that watchers saw, in order.
  std::vector<std::int64_t> published() {
    std::vector<std::int64_t> revisions;
    for (const Delivery& delivery : hub_.take(outbox_).deliveries)
      for (std::size_t i = delivery.begin; i < delivery.end; ++i)
        revisions.push_back(delivery.commit->events()[i].revision.main);
    return revisions;
  }

  store::lmdb::FaultPlan faults_;
  std::unique_ptr<store::Store> store_;
  WatchHub hub_;
  Counters counters_;
  Log log_;
  WriterThread writer_;
  Outbox outbox_{[] {}};
  std::shared_ptr<Watcher> everything_ =
      std::make_shared<Watcher>(WatchFilter{.key = std::string(1, '\0'), .range_end = std::string(1, '\0')}, 0);
};

std::vector<std::int64_t> from_to(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t number = first; number <= last; ++number) numbers.push_back(number);
  return numbers;
}

TEST_F(WriterThreadTest, ARefusedRequestHurtsNobodyElse) {
  const std::vector<Status> statuses = put_many(50, put("refused", 4711));
  for (const Status& status : statuses) EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(published(), from_to(2, 51));
  EXPECT_EQ(hub_.revision(), 51);
}

// Whichever write of a batch finds the disk full, its requests are tried again one by one.
TEST_F(WriterThreadTest, ABatchThatBreaksIsTriedAgainOneByOne) {
  for (const std::int64_t failing : {0, 1, 7, 40, 100}) {
    const std::int64_t before = hub_.revision();
    for (const Status& status : put_many(50, plan_failure(ENOSPC, failing)))
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kResourceExhausted) << status.to_string();
    // A single failure is forgiven, unless it hit a request that was alone.
    EXPECT_GE(hub_.revision(), before + 49);
    EXPECT_EQ(published(), from_to(before + 1, hub_.revision()));
    EXPECT_EQ(store_->read()->revision(), hub_.revision());
  }
}

TEST_F(WriterThreadTest, AFailedDiskRefusesWritesAndReadsGoOn) {
  EXPECT_TRUE(sync_wait(put("before")).ok());
  auto body = [&](store::WriteBatch& batch) -> Status {
    const Status status = batch.put({.key = "after", .value = "v"}).status();
    faults_.loses_writes = true;
    faults_.error = EIO;
    faults_.writes_before_failure = 1;  // what is left to write: the store's state, then the commit
    return status;
  };
  auto write = [](WriterThread& writer, decltype(body)& put_and_fail) -> Task<Status> {
    auto writing = writer.write(put_and_fail);
    Status status = co_await writing;
    co_return status;
  };
  EXPECT_EQ(sync_wait(write(writer_, body)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(sync_wait(put("later")).code(), StatusCode::kUnavailable);
  EXPECT_EQ(store_->read()->range({.keys = {"before", {}}})->count, 1);
  EXPECT_EQ(hub_.revision(), 2);
}

TEST_F(WriterThreadTest, PhysicalCompactionIsOverWhenItIsDone) {
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(sync_wait(put("k")).ok());
  auto compact = [](WriterThread& writer, std::int64_t revision) -> Task<Status> {
    auto compacting = writer.compact(revision, true);
    Status status = co_await compacting;
    co_return status;
  };
  EXPECT_TRUE(sync_wait(compact(writer_, 9)).ok());
  EXPECT_EQ(store_->read()->compact_revision(), 9);
  EXPECT_EQ(sync_wait(compact(writer_, 9)).code(), StatusCode::kOutOfRange);
  EXPECT_EQ(sync_wait(compact(writer_, 99)).code(), StatusCode::kOutOfRange);
}

TEST_F(WriterThreadTest, StopFinishesWhatItHasAndRefusesTheRest) {
  std::vector<Status> statuses;
  std::thread asker([&] { statuses = put_many(100, put("first")); });
  writer_.stop();
  asker.join();
  const std::int64_t done = hub_.revision() - 1;
  for (const Status& status : statuses)
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kUnavailable) << status.to_string();
  EXPECT_LE(std::ranges::count_if(statuses, &Status::ok), done);
  EXPECT_EQ(sync_wait(put("late")).code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace minigrpc::registry
