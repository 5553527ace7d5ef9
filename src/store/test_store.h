// For this folder's tests: a directory that goes away, a store in it, and shorter ways to ask.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "store/store.h"

namespace minigrpc::store::test {

class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string name = (parent / "store-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline constexpr Identity kIdentity{0xC1, 0x3E};

// Where a sync costs nothing.
inline std::filesystem::path memory_path() {
  return std::filesystem::exists("/dev/shm") ? std::filesystem::path("/dev/shm")
                                             : std::filesystem::temp_directory_path();
}

// With a journal.
inline std::unique_ptr<Store> open_durable_store(Options options) {
  options.identity = kIdentity;
  Result<std::unique_ptr<Store>> store = Store::open(options);
  if (!store) {
    ADD_FAILURE() << store.error().to_string();
    std::abort();
  }
  return std::move(*store);
}

// In memory unless a directory is given; without a journal.
inline std::unique_ptr<Store> open_store(Options options = {}) {
  options.fsync = false;
  return open_durable_store(options);
}

inline WriteBatch begin(Store& store) {
  Result<WriteBatch> batch = store.begin();
  if (!batch) ADD_FAILURE() << batch.error().to_string();
  return std::move(*batch);
}

inline ReadView read(Store& store) {
  Result<ReadView> view = store.read();
  if (!view) ADD_FAILURE() << view.error().to_string();
  return std::move(*view);
}

// One request, committed. Returns the revision.
inline std::int64_t put(Store& store, std::string_view key, std::string_view value, LeaseId lease = 0) {
  WriteBatch batch = begin(store);
  Result<PutResult> put = batch.put({.key = key, .value = value, .lease = lease});
  if (!put) ADD_FAILURE() << put.error().to_string();
  Result<Committed> committed = batch.commit();
  if (!committed) ADD_FAILURE() << committed.error().to_string();
  return committed ? committed->revision : -1;
}

inline std::int64_t erase(Store& store, std::string_view key, std::string_view range_end = {}) {
  WriteBatch batch = begin(store);
  Result<DeleteRangeResult> erased = batch.delete_range({.keys = {key, range_end}});
  if (!erased) ADD_FAILURE() << erased.error().to_string();
  Result<Committed> committed = batch.commit();
  return committed ? committed->revision : -1;
}

// Marks, and removes all at once.
inline void compact(Store& store, std::int64_t revision) {
  WriteBatch batch = begin(store);
  const Status status = batch.compact(revision);
  EXPECT_TRUE(status.ok()) << status.to_string();
  for (;;) {
    Result<CompactStep> step = batch.compact_step(100);
    if (!step) ADD_FAILURE() << step.error().to_string();
    if (!step || step->done) break;
  }
  EXPECT_TRUE(batch.commit().has_value());
}

// "key=value c<create> m<mod> v<version> l<lease>", long strings shortened.
inline std::string shorten(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, 24)) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x20 && code < 0x7F)
      text.push_back(byte);
    else
      text.append("\\").append(std::to_string(code));
  }
  if (bytes.size() > 24)
    text.append("..")
        .append(std::to_string(bytes.size()))
        .append("#")
        .append(std::to_string(std::hash<std::string_view>()(bytes) % 10000));
  return text;
}

template <class Kv>
std::string describe(const Kv& kv) {
  return shorten(kv.key) + "=" + shorten(kv.value) + " c" + std::to_string(kv.create_revision) + " m" +
         std::to_string(kv.mod_revision) + " v" + std::to_string(kv.version) + " l" +
         std::to_string(kv.lease);
}

// "PUT 5.0 k=v c5 m5 v1 l0 <- k=u c4 m4 v1 l0"
template <class AnyEvent>
std::string describe_event(const AnyEvent& event) {
  std::string text = event.type == EventType::kPut ? "PUT " : "DELETE ";
  text += std::to_string(event.revision.main) + "." + std::to_string(event.revision.sub) + " " +
          describe(event.kv);
  if (event.prev_kv) text += " <- " + describe(*event.prev_kv);
  return text;
}

inline std::string describe(const RangeResult& result) {
  std::string text;
  for (const KeyValueView& kv : result.kvs) text += describe(kv) + "\n";
  text += "count " + std::to_string(result.count) + (result.more ? " more" : "") + " at " +
          std::to_string(result.revision);
  return text;
}

inline std::string describe(const Result<RangeResult>& result) {
  return result ? describe(*result) : result.error().to_string();
}

}  // namespace minigrpc::store::test
