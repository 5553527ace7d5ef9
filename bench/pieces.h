// The pieces of bulk.proto: how their sender marks them, and how their receiver knows them again.
//
// Pure: no state but the messages'. Checking reads two bytes of each: that is enough to find a lost, doubled
// or shifted piece, and next to nothing beside what carrying a piece costs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bulk.pb.h"

namespace bench {

// A piece of `size` bytes of data, at least one. Number 0.
inline Piece make_piece(std::size_t size) {
  Piece piece;
  piece.mutable_data()->assign(size, '\0');
  return piece;
}

inline void set_number(Piece& piece, std::uint64_t number) {
  piece.set_number(number);
  piece.mutable_data()->front() = static_cast<char>(number);
  piece.mutable_data()->back() = static_cast<char>(number);
}

// `size` 0: of any size.
inline bool is_right(const Piece& piece, std::uint64_t number, std::size_t size = 0) {
  const std::string& data = piece.data();
  return piece.number() == number && !data.empty() && (size == 0 || data.size() == size) &&
         data.front() == static_cast<char>(number) && data.back() == static_cast<char>(number);
}

}  // namespace bench
