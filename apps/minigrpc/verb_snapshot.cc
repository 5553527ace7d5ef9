// snapshot save, snapshot status, snapshot restore.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <system_error>

#include "etcd/api/maintenance.minigrpc.h"
#include "invocation.h"
#include "registry_call.h"
#include "snapshot/restore.h"
#include "snapshot/snapshot_file.h"
#include "text.h"
#include "verbs.h"

namespace minigrpc::cli {

namespace {

Status system_error(const std::string& doing) {
  return {StatusCode::kUnavailable, doing + ": " + std::generic_category().message(errno), {}, StatusOrigin::kPeer};
}

// A file that is being received; gone again unless it was kept.
class PartFile {
 public:
  explicit PartFile(const std::string& path) : path_(path), part_(path + ".part") {
    fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  PartFile(const PartFile&) = delete;
  ~PartFile() {
    if (fd_ >= 0) ::close(fd_);
    ::unlink(part_.c_str());
  }

  Status opened() const { return fd_ >= 0 ? Status() : system_error("could not open " + part_); }
  Status append(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return system_error("writing " + part_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return Status();
  }
  // Under its own name once it is on disk and its checksum is right.
  Status keep() const {
    if (::fsync(fd_) != 0) return system_error("writing " + part_);
    const auto file = snapshot::SnapshotFile::open(part_, snapshot::HashCheck::kRequire);
    if (!file) return file.error();
    if (std::rename(part_.c_str(), path_.c_str()) != 0) return system_error("could not rename " + part_);
    return Status();
  }

 private:
  const std::string path_;
  const std::string part_;
  int fd_ = -1;
};

Task<Status> receive(etcdserverpb::Maintenance::Client client, CallOptions options, const PartFile& file) {
  auto reader = client.Snapshot(etcdserverpb::SnapshotRequest(), std::move(options));
  for (;;) {
    auto reading = reader.read();
    const std::optional<etcdserverpb::SnapshotResponse> response = co_await reading;
    if (!response) break;
    if (Status status = file.append(response->blob()); !status.ok()) co_return status;
  }
  auto finishing = reader.finish();
  const Status status = co_await finishing;
  co_return status;
}

int save(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1) return invocation.fail(Exit::kBadArguments, "snapshot save expects one argument");
  const std::vector<std::string>& endpoints = invocation.globals().endpoints;
  if (endpoints.size() != 1)
    return invocation.fail(Exit::kInterrupted, "snapshot must be requested to one selected node, not multiple [" +
                                                   joined(endpoints, " ") + "]");
  const PartFile file(arguments[0]);
  Status status = file.opened();
  if (status.ok()) {
    RegistryCalls<etcdserverpb::Maintenance::Client> calls(invocation);
    Result<CallOptions> options = calls.options();
    status = options ? sync_wait(receive(calls.service(), *std::move(options), file)) : options.error();
  }
  if (status.ok()) status = file.keep();
  if (!status.ok()) return invocation.fail(status, Exit::kInterrupted);
  invocation.out() << "Snapshot saved at " << arguments[0] << "\n";
  return 0;
}

void print(const snapshot::FileStatus& status, OutputFormat format, std::ostream& out) {
  const std::string hash = hexadecimal(status.hash);
  const std::string size = human_size(static_cast<std::uint64_t>(status.total_size));
  switch (format) {
    case OutputFormat::kProtobuf:  // refused by main(), as has_protobuf says
    case OutputFormat::kSimple:
      out << hash << ", " << status.revision << ", " << status.total_key << ", " << size << "\n";
      return;
    case OutputFormat::kJson:
      out << R"({"hash":)" << status.hash << R"(,"revision":)" << status.revision << R"(,"totalKey":)"
          << status.total_key << R"(,"totalSize":)" << status.total_size << "}\n";
      return;
    case OutputFormat::kFields:
      out << "\"Hash\" : " << status.hash << "\n\"Revision\" : " << status.revision
          << "\n\"Keys\" : " << status.total_key << "\n\"Size\" : " << status.total_size << "\n";
      return;
    case OutputFormat::kTable:
      out << drawn_table({"hash", "revision", "total keys", "total size"},
                         {{hash, std::to_string(status.revision), std::to_string(status.total_key), size}});
      return;
  }
}

int status(Invocation& invocation, const Arguments& arguments) {
  if (arguments.size() != 1) return invocation.fail(Exit::kBadArguments, "snapshot status requires exactly one argument");
  // As etcdctl: it tells what is in the file, also of one without a checksum.
  const auto file = snapshot::SnapshotFile::open(arguments[0], snapshot::HashCheck::kSkip);
  if (!file) return invocation.fail(Exit::kError, file.error().message());
  const Result<snapshot::FileStatus> found = file->status();
  if (!found) return invocation.fail(Exit::kError, found.error().message());
  print(*found, invocation.format(), invocation.out());
  return 0;
}

struct RestoreFlags {
  std::string name = "default";
  std::string data_dir;
  bool skip_hash_check = false;
  std::int64_t bump_revision = 0;
  bool mark_compacted = false;
};

std::uint64_t random_id() {
  std::random_device device;
  return std::uniform_int_distribution<std::uint64_t>(1, INT64_MAX)(device);
}

int restore(Invocation& invocation, const RestoreFlags& flags, const Arguments& arguments) {
  if (arguments.size() != 1)
    return invocation.fail(Exit::kBadArguments, "snapshot restore requires exactly one argument");
  if (flags.bump_revision < 0 || (flags.bump_revision > 0) != flags.mark_compacted)
    return invocation.fail(Exit::kBadArguments,
                           "--bump-revision N and --mark-compacted belong together: who has seen a later revision than "
                           "the snapshot's must read all again");
  snapshot::RestoreOptions options{.snapshot = arguments[0],
                                   .data_dir = flags.data_dir.empty() ? flags.name + ".minigrpc" : flags.data_dir};
  if (flags.skip_hash_check) options.hash_check = snapshot::HashCheck::kSkip;
  options.identity = {.cluster_id = random_id(), .member_id = random_id()};
  options.bump_revision = flags.bump_revision;
  const Result<snapshot::Restored> restored = snapshot::restore(options);
  if (!restored) return invocation.fail(Exit::kError, restored.error().message());
  invocation.out() << "Restored " << arguments[0] << " into " << options.data_dir << " at revision "
                   << restored->revision << "\nStart it with: minigrpcd --data-dir " << options.data_dir << "\n";
  return 0;
}

}  // namespace

Verb snapshot_save_verb() {
  Verb verb{.path = "snapshot save", .arguments = "<file>", .summary = "Save all data of one endpoint to a file"};
  verb.description =
      "The file is an etcd snapshot, of etcd and of minigrpcd: `minigrpc snapshot restore` and `minigrpcd --restore` take\n"
      "it, and `etcdctl snapshot restore` makes the members of an etcd cluster from it.";
  verb.examples = "minigrpc snapshot save backup.db";
  verb.run = save;
  return verb;
}

Verb snapshot_status_verb() {
  Verb verb{.path = "snapshot status", .arguments = "<file>", .summary = "Tell what is in a snapshot"};
  verb.description = "Prints its hash, its last revision, how many records it has, and its size.";
  verb.examples = "minigrpc snapshot status backup.db -w table";
  verb.has_table = true;
  verb.run = status;
  return verb;
}

Verb snapshot_restore_verb() {
  auto flags = std::make_shared<RestoreFlags>();
  Verb verb{.path = "snapshot restore",
            .arguments = "<file>",
            .summary = "Make a data directory of minigrpcd from a snapshot"};
  verb.description =
      "Takes snapshots of etcd and of minigrpcd. For the members of an etcd cluster: etcdctl snapshot restore.";
  verb.examples =
      "minigrpc snapshot restore backup.db --data-dir /var/lib/shop\n"
      "minigrpc snapshot restore backup.db --bump-revision 1000000 --mark-compacted    clients read all again";
  verb.flags.add("data-dir", &flags->data_dir, "the directory to make; NAME.minigrpc without it");
  verb.flags.add("name", &flags->name, "the member's name");
  verb.flags.add("skip-hash-check", &flags->skip_hash_check, "take a file without a checksum: a copied member/snap/db");
  verb.flags.add("bump-revision", &flags->bump_revision, "go on at a revision greater by that");
  verb.flags.add("mark-compacted", &flags->mark_compacted, "watches from before hear that it was compacted");
  verb.run = [flags](Invocation& invocation, const Arguments& arguments) {
    return restore(invocation, *flags, arguments);
  };
  return verb;
}

}  // namespace minigrpc::cli
