// Disk: what a disk knows of the files of one data directory, for tests. It stands in for the functions of
// libc that write files, in the test program that it is linked into, and tells what is safe on the medium
// from what only the page cache has. So a test can take the power away after every step of a commit, and let
// each step fail.
//
//   Disk disk(directory.path());     // before the store is made; one at a time
//   disk.after_each_step([&] { … disk.after_power_failure(random) … });
//   disk.fail_step(7, {EIO, Disk::Harm::kNothingHappens});
//
// Thread rule: the files may be written by several threads, one step after the other; the rest from any thread, between
// two steps. Made and destroyed by the test.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace minigrpc::store::test {

class Disk {
 public:
  // Files by name.
  using Image = std::map<std::string, std::string>;

  // What a failing step does besides failing.
  enum class Harm : std::uint8_t {
    kNothingHappens,
    kShort,       // of a write: half of it is done, and that is what it returns
    kLosesPages,  // of a sync: what was waiting never reaches the disk, though the page cache shows it; as
                  // Linux has it
  };
  struct Fault {
    int error = 0;  // an errno
    Harm harm = Harm::kNothingHappens;
  };

  // Locks are no files of interest.
  explicit Disk(std::string directory);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Steps are the writes, syncs, holes and changes of length of the files, from now on, in order.
  std::size_t steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
  }
  // Called by whoever takes the step, with all other steps waiting.
  void after_each_step(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    after_each_step_ = std::move(call);
  }
  // The step of that number, counted as steps() does, fails.
  void fail_step(std::size_t number, Fault fault);
  void fail_nothing() {
    const std::lock_guard lock(mutex_);
    failing_ = false;
  }

  // The files as they may be found after the power went away now: what was synced, and any sectors of what
  // was not.
  Image after_power_failure(std::mt19937_64& random) const;
  // The files as they are found after a kill -9 now: what was written, synced or not.
  Image after_kill() const;
  // What was synced, and nothing else.
  Image safe() const;
  // What was synced besides: whole paths, directories among them.
  std::set<std::string> synced_paths() const {
    const std::lock_guard lock(mutex_);
    return synced_paths_;
  }

  // One file, for the functions that stand in for libc's. Each returns what libc's would.
  class File {
   public:
    explicit File(Disk& disk) : disk_(disk) {}
    long on_write(int fd, std::int64_t offset, const std::string& bytes,
                  const std::function<long(std::size_t)>& write);
    int on_sync(int fd);
    int on_hole(std::int64_t offset, std::int64_t size, const std::function<int()>& punch);
    int on_resize(std::int64_t size, const std::function<int()>& resize);

   private:
    friend class Disk;
    struct Change {
      std::int64_t offset = 0;
      std::string bytes;
      std::int64_t resize_to = -1;
    };
    void note(Change change, bool durable);
    static void apply(const Change& change, std::string& image);
    std::string after_power_failure(std::mt19937_64& random) const;
    std::string after_kill() const;

    Disk& disk_;
    std::string safe_;
    std::vector<Change> waiting_;
    // A failed sync is reported once to each descriptor.
    std::uint64_t errors_ = 0;
    int last_error_ = 0;
    std::map<int, std::uint64_t> errors_seen_;
  };
  // Null: none of the directory's.
  File* file(const std::string& path);
  void on_sync_of_other(const std::string& path) {
    const std::lock_guard lock(mutex_);
    synced_paths_.insert(path);
  }
  static Disk* current();

 private:
  bool next_step_fails();
  void after_step() const;

  const std::string directory_;
  mutable std::recursive_mutex mutex_;  // a step and what is called after it, and all that is below
  std::map<std::string, File> files_;
  std::set<std::string> synced_paths_;
  std::function<void()> after_each_step_;
  std::size_t steps_ = 0;
  bool failing_ = false;
  std::size_t failing_step_ = 0;
  Fault fault_;
};

}  // namespace minigrpc::store::test
