#include "names.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <array>
#include <set>

namespace minigrpc::plugin {

namespace cpp = google::protobuf::compiler::cpp;
namespace pb = google::protobuf;

namespace {

// Sorted. Keywords and alternative tokens of C++20, then the macros of the C library that a header of the standard
// library may bring along.
constexpr std::array kReservedWords = std::to_array<std::string_view>({
    "EOF",           "NAN",        "NULL",          "alignas",      "alignof",     "and",
    "and_eq",        "asm",        "assert",        "auto",         "bitand",      "bitor",
    "bool",          "break",      "case",          "catch",        "char",        "char16_t",
    "char32_t",      "char8_t",    "class",         "co_await",     "co_return",   "co_yield",
    "compl",         "concept",    "const",         "const_cast",   "consteval",   "constexpr",
    "constinit",     "continue",   "decltype",      "default",      "delete",      "do",
    "double",        "dynamic_cast", "else",        "enum",         "errno",       "explicit",
    "export",        "extern",     "false",         "float",        "for",         "friend",
    "goto",          "if",         "inline",        "int",          "linux",       "long",
    "major",         "makedev",    "minor",         "mutable",      "namespace",   "new",
    "noexcept",      "not",        "not_eq",        "nullptr",      "offsetof",    "operator",
    "or",            "or_eq",      "private",       "protected",    "public",      "register",
    "reinterpret_cast", "requires", "return",       "setjmp",       "short",       "signed",
    "sizeof",        "static",     "static_assert", "static_cast",  "stderr",      "stdin",
    "stdout",        "struct",     "switch",        "template",     "this",        "thread_local",
    "throw",         "true",       "try",           "typedef",      "typeid",      "typename",
    "union",         "unix",       "unsigned",      "using",        "va_arg",      "va_copy",
    "va_end",        "va_start",   "virtual",       "void",         "volatile",    "wchar_t",
    "while",         "xor",        "xor_eq",
});
static_assert(std::ranges::is_sorted(kReservedWords));

std::vector<std::string> split(const std::string& text, std::string_view separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  return parts;
}

// Gives each wanted name a free one: `taken` grows by them.
std::vector<std::string> unique_names(const std::vector<std::string>& wanted, std::set<std::string> taken) {
  std::set<std::string> kept;
  for (const std::string& name : wanted)
    if (!is_reserved_word(name) && !taken.contains(name)) kept.insert(name);
  std::vector<std::string> names;
  for (const std::string& name : wanted) {
    std::string free = name;
    if (!kept.contains(name))
      while (is_reserved_word(free) || taken.contains(free) || kept.contains(free)) free += '_';
    taken.insert(free);
    names.push_back(std::move(free));
  }
  return names;
}

// The C++ name of each service of the file. None may be a name of its own members, nor that of a class that protobuf
// prints for a nested message (Outer_Inner).
std::vector<std::string> service_classes(const pb::FileDescriptor& file) {
  std::set<std::string> taken = {"Handler", "Client", "kServiceName"};
  std::vector<const pb::Descriptor*> messages;
  for (int i = 0; i < file.message_type_count(); ++i) messages.push_back(file.message_type(i));
  for (int i = 0; i < file.enum_type_count(); ++i) taken.insert(cpp::ClassName(file.enum_type(i)));
  while (!messages.empty()) {
    const pb::Descriptor* message = messages.back();
    messages.pop_back();
    taken.insert(cpp::ClassName(message));
    for (int i = 0; i < message->nested_type_count(); ++i) messages.push_back(message->nested_type(i));
    for (int i = 0; i < message->enum_type_count(); ++i) taken.insert(cpp::ClassName(message->enum_type(i)));
  }
  std::vector<std::string> wanted;
  for (int i = 0; i < file.service_count(); ++i) wanted.push_back(file.service(i)->name());
  return unique_names(wanted, std::move(taken));
}

}  // namespace

// libprotoc has no function for namespaces. It has one for the class of a message: the rest follows from asking it
// about a message made up for the purpose, so that the answer is right for each version of protobuf.
std::vector<std::string> namespaces_of(const pb::FileDescriptor& file) {
  pb::FileDescriptorProto made_up;
  made_up.set_name("made_up.proto");
  made_up.set_package(file.package());
  made_up.add_message_type()->set_name("MadeUp");
  pb::DescriptorPool pool;
  const pb::FileDescriptor* built = pool.BuildFile(made_up);
  std::vector<std::string> parts = split(cpp::QualifiedClassName(built->message_type(0)), "::");
  parts.pop_back();
  return parts;
}

std::string qualified_class(const pb::Descriptor& message) { return cpp::QualifiedClassName(&message); }

bool is_reserved_word(std::string_view word) { return std::ranges::binary_search(kReservedWords, word); }

ServiceNames names_of(const pb::ServiceDescriptor& service) {
  ServiceNames names;
  names.service = service_classes(*service.file())[static_cast<std::size_t>(service.index())];
  for (const std::string& part : namespaces_of(*service.file())) names.qualified += "::" + part;
  names.qualified += "::" + names.service;

  std::vector<std::string> functions;
  std::vector<std::string> constants;
  for (int i = 0; i < service.method_count(); ++i) {
    functions.push_back(service.method(i)->name());
    constants.push_back("k" + service.method(i)->name());
  }
  functions = unique_names(functions, {"Handler", "Client", "channel_", "service_name", "service_methods"});
  constants = unique_names(constants, {"kServiceName", names.service});
  for (std::size_t i = 0; i < functions.size(); ++i)
    names.methods.push_back({std::move(functions[i]), std::move(constants[i])});
  return names;
}

}  // namespace minigrpc::plugin
