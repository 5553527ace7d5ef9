#include <minigrpc/tracing.h>

#include "fuzz/target.h"

using namespace minigrpc;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::optional<SpanContext> span = parse_traceparent(fuzz::text_of(data, size));
  if (!span) return 0;
  const std::optional<SpanContext> again = parse_traceparent(format_traceparent(*span));
  fuzz::expect(again.has_value(), "what is written is read");
  fuzz::expect(again->trace_id == span->trace_id && again->span_id == span->span_id && again->sampled == span->sampled,
               "and means the same");
  return 0;
}
