// Caller: what the calls of one connection have in common: the peer, and the headers that each call says
// again.
//
// Clients send the same authority, user-agent and tokens with every call. They are parsed once, and shared by
// the calls that say the same one after the other. Thread rule: the connection's loop, also for the counts of
// references.
#pragma once

#include <minigrpc/credentials.h>
#include <minigrpc/metadata.h>
#include <minigrpc/result.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/header_view.h"
#include "wire/compression.h"

namespace minigrpc::rpc {

// Who is at the other end of a connection, and what runs for it; its calls share it, beyond its end.
struct Peer {
  std::string address;
  std::unique_ptr<const PeerIdentity> identity;  // null: none
  std::size_t calls_running = 0;                 // those whose stream is over included
};

class CallerRef;

class Caller {
 public:
  // Of a request's fields. INTERNAL for metadata that is malformed.
  static Result<CallerRef> of(std::shared_ptr<Peer> peer, std::span<const HeaderView> fields);

  // Whether a request with these fields would make the same.
  bool is_repeated_by(std::span<const HeaderView> fields) const;

  Peer& peer() const { return *peer_; }
  const std::string& authority() const { return authority_; }
  const Metadata& metadata() const { return metadata_; }
  // What it takes in answers.
  wire::CompressionSet accepted() const { return accepted_; }

 private:
  friend class CallerRef;
  explicit Caller(std::shared_ptr<Peer> peer) : peer_(std::move(peer)) {}
  Status take(const HeaderView& field);

  std::size_t references_ = 0;
  std::shared_ptr<Peer> peer_;
  std::string authority_;
  Metadata metadata_;
  wire::CompressionSet accepted_;
  std::vector<std::pair<std::string, std::string>> said_;  // the fields as they came
  bool repeatable_ = true;
};

// A reference to a Caller, or none.
class CallerRef {
 public:
  CallerRef() = default;
  explicit CallerRef(Caller& caller) : caller_(&caller) { ++caller_->references_; }
  CallerRef(const CallerRef& other) : caller_(other.caller_) {
    if (caller_ != nullptr) ++caller_->references_;
  }
  CallerRef(CallerRef&& other) noexcept : caller_(std::exchange(other.caller_, nullptr)) {}
  CallerRef& operator=(CallerRef other) noexcept {
    std::swap(caller_, other.caller_);
    return *this;
  }
  ~CallerRef() {
    if (caller_ != nullptr && --caller_->references_ == 0) delete caller_;
  }
  const Caller* operator->() const { return caller_; }
  explicit operator bool() const { return caller_ != nullptr; }

 private:
  friend class Caller;
  Caller* caller_ = nullptr;
};

}  // namespace minigrpc::rpc
