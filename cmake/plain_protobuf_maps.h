// For builds under the thread sanitizer, in front of what uses google.protobuf.Struct. Debian's libprotobuf is not built
// under it; protobuf's header would give maps one member more there, and the two would not agree on where things are. The
// standard library's headers come first, since they have to know of the sanitizer.
//
// Pure.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include <google/protobuf/struct.pb.h>
#pragma pop_macro("__SANITIZE_THREAD__")
