// A password from whoever sits at the terminal, or from the standard input.
//
// Thread rule: the main thread.
#pragma once

#include <iosfwd>
#include <string>

namespace minigrpc::cli {

// One line of `in`, asked for on `err`. What is typed at a terminal does not show.
std::string read_password(std::istream& in, std::ostream& err, const std::string& user);

}  // namespace minigrpc::cli
