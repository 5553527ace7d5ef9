// LogLines: log records as lines on standard error, in the style of etcd 3.4.
//
//   2026-11-22 11:15:49.451094 I | minigrpcd: ready to serve client requests
//
// Thread rule: any thread; a line is one write.
#pragma once

#include <minigrpc/registry.h>

namespace minigrpcd {

// Drops what is below `level`.
minigrpc::LogSink log_lines(minigrpc::LogLevel level);

}  // namespace minigrpcd
