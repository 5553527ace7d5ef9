#include "registry/hot_copies.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "snapshot/save.h"

namespace minigrpc::registry {

namespace {

constexpr std::chrono::seconds kLookEvery{1};
// Of the time; a copy that takes long is followed by a pause, so that a stream of writes does not make the disk copy
// all the time.
constexpr int kShare = 10;
constexpr std::size_t kDigits = 20;
constexpr std::string_view kSuffix = ".db";

std::string name_of(std::int64_t revision) {
  std::string digits = std::to_string(revision);
  digits.insert(0, kDigits - std::min(kDigits, digits.size()), '0');
  return digits.append(kSuffix);
}

bool is_name(std::string_view name) {
  return name.size() == kDigits + kSuffix.size() && name.ends_with(kSuffix) &&
         name.substr(0, kDigits).find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

HotCopies::HotCopies(Member& member, Runtime& runtime, std::int64_t every)
    : member_(member), runtime_(runtime), every_(every), directory_(member.options().data_dir + "/snapshots") {
  const std::vector<std::string> names = kept();
  if (!names.empty())
    std::from_chars(names.back().data(), names.back().data() + kDigits, copied_revision_);
  // Of data that was restored since, the copies may be ahead.
  copied_revision_ = std::min(copied_revision_, member_.hub().revision());
}

std::vector<std::string> HotCopies::kept() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error))
    if (std::string name = entry.path().filename().string(); is_name(name)) names.push_back(std::move(name));
  std::ranges::sort(names);
  return names;
}

Status HotCopies::copy() {
  std::error_code error;
  std::filesystem::create_directory(directory_, error);
  if (error) return {StatusCode::kUnavailable, "creating " + directory_ + ": " + error.message()};
  std::filesystem::permissions(directory_, std::filesystem::perms::owner_all, error);
  const Result<store::ReadView> view = member_.store().read();
  if (!view) return view.error();
  if (Status status = snapshot::save(*view, member_.identity(), directory_ + "/" + name_of(view->revision()));
      !status.ok())
    return status;
  copied_revision_ = view->revision();
  const std::vector<std::string> names = kept();
  for (std::size_t i = 0; i + kKept < names.size(); ++i) std::filesystem::remove(directory_ + "/" + names[i], error);
  return Status();
}

Task<void> HotCopies::run() {
  auto pause = std::chrono::steady_clock::duration(kLookEvery);
  for (;;) {
    Task<bool> sleeping = runtime_.sleep_for(pause);
    const bool elapsed = co_await sleeping;
    if (!elapsed) co_return;
    pause = kLookEvery;
    if (member_.hub().revision() - copied_revision_ < every_) continue;
    const auto start = std::chrono::steady_clock::now();
    const auto work = [this] { return copy(); };
    Task<Status> copying = runtime_.blocking(work);
    const Status status = co_await copying;
    const auto took = std::chrono::steady_clock::now() - start;
    pause = std::max(pause, took * kShare);
    if (status.ok())
      member_.log().info("copied the data", {{"revision", std::to_string(copied_revision_)}, {"to", directory_}});
    else
      member_.log().error("no copy of the data could be made", {{"error", status.message()}});
  }
}

}  // namespace minigrpc::registry
