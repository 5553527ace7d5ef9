// Runs a fuzz target over the files of its corpus and over everything that they begin with, without
// libFuzzer: so the ordinary tests of every compiler keep what fuzzing has found.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/target.h"

namespace {

constexpr std::size_t kPrefixSizeMax = 4096;

std::string current_input;

// Only async-signal-unsafe in what does not matter here: the program is lost already, and the name is worth a
// try.
void name_input(int signal) {
  std::fprintf(stderr, "while it was given %s\n", current_input.c_str());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const std::string& bytes, std::size_t size) {
  // A copy of exactly that size lets the address sanitizer see a read behind the end.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (std::size_t size = 0; size < std::min(bytes.size(), kPrefixSizeMax); ++size) {
    current_input = "the first " + std::to_string(size) + " bytes of " + path.string();
    run(bytes, size);
  }
  current_input = path.string();
  run(bytes, bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, name_input);
  std::signal(SIGSEGV, name_input);
  std::size_t file_count = 0;
  for (int i = 1; i < argc; ++i) {
    std::vector<std::filesystem::path> paths;
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) paths.push_back(entry.path());
    } else {
      paths.emplace_back(argv[i]);
    }
    std::sort(paths.begin(), paths.end());
    std::for_each(paths.begin(), paths.end(), replay);
    file_count += paths.size();
  }
  std::printf("%zu files replayed\n", file_count);
  if (file_count > 0) return 0;
  std::fprintf(stderr, "usage: %s FILE|DIRECTORY ...   (an empty corpus proves nothing)\n", argv[0]);
  return 1;
}
