// One writer, many readers: what a view shows is one moment, whatever happens meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store/store.h"
#include "store/test_store.h"

namespace minigrpc::store::test {
namespace {

void check_views(Store* store) {
  TemporaryDirectory directory;
  put(*store, "a", "0");
  put(*store, "b", "0");
  std::atomic<bool> stop = false;
  std::atomic<int> views = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i)
    readers.emplace_back([&] {
      while (!stop) {
        const ReadView view = read(*store);
        Result<RangeResult> range = view.range({.keys = {"a", "c"}});
        Result<HistoryResult> history = view.history({.from = {view.compact_revision(), 0}, .events_max = 50},
                                                     [](const EventView&) { return true; });
        ASSERT_TRUE(range.has_value() && history.has_value());
        ASSERT_EQ(range->kvs.size(), 2u);
        ASSERT_EQ(range->kvs[0].value, range->kvs[1].value);
        ASSERT_EQ(range->kvs[0].mod_revision + 1, range->kvs[1].mod_revision);
        ++views;
      }
    });
  const std::string pad(700, 'x');
  // Goes on until the readers have seen enough.
  for (int i = 1; i < 300 || views < 500; ++i) {
    WriteBatch batch = begin(*store);
    const std::string value = std::to_string(i) + (i % 3 == 0 ? pad : "");
    ASSERT_TRUE(batch.put({.key = "a", .value = value}).has_value());
    ASSERT_TRUE(batch.put({.key = "b", .value = value}).has_value());
    if (i % 50 == 0) {
      ASSERT_TRUE(batch.compact(batch.revision() - 20).ok());
    }
    ASSERT_TRUE(batch.compact_step(10).has_value());
    ASSERT_TRUE(batch.commit().has_value());
    if (i == 100) {
      const Status status = store->snapshot_copy(directory / "copy.mdb");
      ASSERT_TRUE(status.ok()) << status.to_string();
    }
    ASSERT_TRUE(store->size().has_value());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

TEST(StoreThreads, AViewIsOneMoment) { check_views(open_store().get()); }

// Checkpoints come and go meanwhile.
TEST(StoreThreads, AViewOverTheJournalIsOneMoment) {
  const TemporaryDirectory directory(memory_path());
  check_views(open_durable_store({.directory = directory.path(), .journal_size = 20'000}).get());
}

}  // namespace
}  // namespace minigrpc::store::test
