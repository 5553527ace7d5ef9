// An application's Metadata as header fields, and back: checks, base64 for "-bin", the transport's fields
// left out.
//
// Thread rule: like the Metadata.
//
//   if (Status status = check_metadata(metadata); !status.ok()) return status;   // nothing is sent
//   for (const Metadata::Entry& entry : metadata) headers.push_back(encode_metadata(entry, storage));
#pragma once

#include <minigrpc/metadata.h>
#include <minigrpc/status.h>

#include <string>

#include "wire/header_view.h"

namespace minigrpc::wire {

// INTERNAL, with a message that names the entry, if any of them must not be sent: an illegal or reserved
// name, or a value that is not printable ASCII under a name without "-bin".
Status check_metadata(const Metadata& metadata);

// The header field for an entry that passed check_metadata(). Borrows the entry and, for a "-bin" name,
// `storage`, which then holds the base64.
HeaderView encode_metadata(const Metadata::Entry& entry, std::string& storage);

// Appends what a received header field says to `metadata`; nothing if the field is the transport's. A "-bin"
// field may hold several values. INTERNAL, with `metadata` unchanged, if its base64 is malformed.
Status append_received(HeaderView header, Metadata& metadata);

}  // namespace minigrpc::wire
