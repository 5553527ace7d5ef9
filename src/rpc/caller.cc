#include "rpc/caller.h"

#include "base/limits.h"
#include "rpc/header_list.h"

namespace minigrpc::rpc {

namespace {

// The others are the method's, or the call's own.
bool is_of_caller(HeaderName name) {
  switch (name) {
    case HeaderName::kAuthority:
    case HeaderName::kHost:
    case HeaderName::kUserAgent:
    case HeaderName::kGrpcAcceptEncoding:
    case HeaderName::kOther:
      return true;
    case HeaderName::kMethod:
    case HeaderName::kScheme:
    case HeaderName::kPath:
    case HeaderName::kTe:
    case HeaderName::kContentType:
    case HeaderName::kContentLength:
    case HeaderName::kOfConnections:
    case HeaderName::kGrpcTimeout:
    case HeaderName::kGrpcEncoding:
      return false;
  }
  return false;
}

}  // namespace

Result<CallerRef> Caller::of(std::shared_ptr<Peer> peer, std::span<const HeaderView> fields) {
  CallerRef made(*new Caller(std::move(peer)));
  Caller& caller = *made.caller_;
  std::size_t size = 0;
  for (const HeaderView& field : fields) {
    if (!is_of_caller(field.known)) continue;
    if (Status taken = caller.take(field); !taken.ok()) return taken;
    size += field.name.size() + field.value.size();
    caller.repeatable_ = size <= limits::kRepeatedHeadersSizeMax;
    if (caller.repeatable_) caller.said_.emplace_back(field.name, field.value);
  }
  if (!caller.repeatable_) caller.said_.clear();
  return made;
}

Status Caller::take(const HeaderView& field) {
  if (field.known == HeaderName::kAuthority || (field.known == HeaderName::kHost && authority_.empty()))
    authority_ = field.value;
  else if (field.known == HeaderName::kGrpcAcceptEncoding)
    accepted_ = wire::CompressionSet::parse(field.value);
  else if (!receive_metadata(field, metadata_))
    return Status(StatusCode::kInternal, "malformed base64 in metadata '" + std::string(field.name) + "'");
  return Status();
}

bool Caller::is_repeated_by(std::span<const HeaderView> fields) const {
  if (!repeatable_) return false;
  std::size_t count = 0;
  for (const HeaderView& field : fields) {
    if (!is_of_caller(field.known)) continue;
    if (count == said_.size()) return false;
    const auto& [name, value] = said_[count++];
    if (name != field.name || value != field.value) return false;
  }
  return count == said_.size();
}

}  // namespace minigrpc::rpc
