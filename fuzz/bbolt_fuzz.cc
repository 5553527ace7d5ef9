#include <string>

#include "bbolt/reader.h"
#include "fuzz/target.h"

using namespace minigrpc;

namespace {

// All of it, buckets in buckets included, as deep as they go in a file of that size.
std::size_t read_all(const bbolt::Reader& reader, const bbolt::Bucket& bucket, int depth) {
  std::size_t bytes = 0;
  const Status status = reader.walk(bucket, [&](const bbolt::Entry& entry) -> Status {
    bytes += entry.key.size() + entry.value.size();
    if (entry.bucket && depth > 0) bytes += read_all(reader, *entry.bucket, depth - 1);
    return {};
  });
  fuzz::expect(status.ok() || status.code() == StatusCode::kDataLoss, "what is damaged is DATA_LOSS");
  return bytes;
}

void read(std::string_view file) {
  const Result<bbolt::Reader> reader = bbolt::Reader::open(file);
  if (reader) read_all(*reader, reader->root(), 2);
}

}  // namespace

// The bytes as a file, and as the pages behind a meta page that is right.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  read(bytes);
  constexpr std::size_t kSmallPage = 1024;
  std::string file;
  for (const std::uint64_t page : {0, 1}) {
    bbolt::encode(bbolt::PageHeader{page, bbolt::kMetaPage, 0, 0}, file);
    bbolt::encode(bbolt::Meta{kSmallPage, 2, bbolt::kNoFreelist, 2 + bytes.size() / kSmallPage, page}, file);
    file.resize((page + 1) * kSmallPage);
  }
  read(file.append(bytes));
  return 0;
}
