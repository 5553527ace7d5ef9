// How the names of a .proto become C++ names that compile, and agree with those that protobuf's own generator prints.
//
// Thread rule: none; everything here is a function of its arguments.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

namespace minigrpc::plugin {

// The namespaces that protobuf opens for the file's package, outermost first.
std::vector<std::string> namespaces_of(const google::protobuf::FileDescriptor& file);

// "::pkg::Outer_Inner": the class that protobuf prints for `message`.
std::string qualified_class(const google::protobuf::Descriptor& message);

// Whether C++20 or the standard headers that generated code includes give `word` a meaning that keeps it from being a
// name.
bool is_reserved_word(std::string_view word);

struct MethodNames {
  std::string function;  // in Handler and in Client: GetProdStock
  std::string constant;  // the descriptor: kGetProdStock
};

struct ServiceNames {
  std::string service;               // the class: ProdService
  std::string qualified;             // "::pkg::ProdService"
  std::vector<MethodNames> methods;  // in the order of the descriptor
};

// A name that cannot be kept gets underscores at its end until it collides with nothing. The others are left alone, so
// that adding such a method changes no name but its own.
ServiceNames names_of(const google::protobuf::ServiceDescriptor& service);

}  // namespace minigrpc::plugin
