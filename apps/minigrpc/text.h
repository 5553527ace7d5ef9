// How single values are written: numbers, byte strings, sizes and tables, as Go programs write them.
//
// Pure functions. Thread rule: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::cli {

// "ac7c97ef0ec193b0"; with digits_min 16, leading zeros.
std::string hexadecimal(std::uint64_t number, unsigned digits_min = 1);
// "\x61\x62".
std::string hex_bytes(std::string_view bytes);
// A Go string literal: "a\n\x00é". Bytes that are no UTF-8 become \x.., code points that do not print \u....
std::string go_quoted(std::string_view bytes);
// A JSON string, as Go's encoding/json writes it: <, > and & escaped, bytes that are no UTF-8 replaced.
std::string json_quoted(std::string_view text);
// With padding.
std::string base64(std::string_view bytes);
// "25 kB", "1.1 MB", "999 B": powers of 1000.
std::string human_size(std::uint64_t bytes);
// The items, `separator` between them.
std::string joined(const std::vector<std::string>& items, std::string_view separator);

// The ASCII table that etcdctl draws: headings centred and in capitals, cells to the right.
std::string drawn_table(const std::vector<std::string>& headings,
                        const std::vector<std::vector<std::string>>& rows);
// Columns two spaces apart, to the left; headings first. The last column is not padded.
std::string aligned_columns(const std::vector<std::string>& headings,
                            const std::vector<std::vector<std::string>>& rows);

}  // namespace minigrpc::cli
