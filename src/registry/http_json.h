// The JSON of etcd's gateway: messages with the field names of the .proto, bytes in base64, 64-bit numbers as strings,
// and errors as grpc-gateway writes them.
//
// Thread rule: free functions, any thread.
#pragma once

#include <minigrpc/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace minigrpc::registry {

// A document as the bytes of a message; an empty one is an empty message. INVALID_ARGUMENT says what does not fit.
Result<std::string> json_to_message(const google::protobuf::Descriptor& type, std::string_view json);
// On one line. INTERNAL when the bytes are none of such a message.
Result<std::string> message_to_json(const google::protobuf::Descriptor& type, std::string_view message);

// The documents that stand one after the other in `text`; what does not end is the last of them.
std::vector<std::string_view> split_documents(std::string_view text);

// {"error":…,"code":…,"message":…}
std::string error_json(const Status& status);
// {"error":{"grpc_code":…,"http_code":…,"message":…,"http_status":…}}: the last line of a stream that failed.
std::string stream_error_json(const Status& status);
int http_status_of(StatusCode code);
std::string json_quoted(std::string_view text);

}  // namespace minigrpc::registry
