#include "generator.h"

#include "comments.h"
#include "names.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/printer.h>

#include <map>
#include <memory>

namespace minigrpc::plugin {

namespace pb = google::protobuf;

namespace {

using Words = std::map<std::string, std::string>;

std::string kind_of(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) return method.server_streaming() ? "kBidirectional" : "kClientStreaming";
  return method.server_streaming() ? "kServerStreaming" : "kUnary";
}

// The words of `$…$` in what is printed for one method.
Words words_of(const pb::MethodDescriptor& method, const ServiceNames& names) {
  const MethodNames& own = names.methods[static_cast<std::size_t>(method.index())];
  return {{"service", names.qualified},
          {"function", own.function},
          {"constant", own.constant},
          {"path", "/" + method.service()->full_name() + "/" + method.name()},
          {"kind", kind_of(method)},
          {"request", qualified_class(*method.input_type())},
          {"response", qualified_class(*method.output_type())}};
}

// A method of Handler; `result` is what its Task carries.
struct Signature {
  const char* result;
  const char* parameters;
  const char* unnamed_parameters;
};

Signature handler_signature(const pb::MethodDescriptor& method) {
  if (method.client_streaming() && method.server_streaming())
    return {"::minigrpc::Status",
            "::minigrpc::ServerContext& context, ::minigrpc::ServerStream<$request$, $response$>& stream",
            "::minigrpc::ServerContext&, ::minigrpc::ServerStream<$request$, $response$>&"};
  if (method.client_streaming())
    return {"::minigrpc::Result<$response$>",
            "::minigrpc::ServerContext& context, ::minigrpc::ServerReader<$request$>& reader",
            "::minigrpc::ServerContext&, ::minigrpc::ServerReader<$request$>&"};
  if (method.server_streaming())
    return {"::minigrpc::Status",
            "::minigrpc::ServerContext& context, $request$ request,\n    ::minigrpc::ServerWriter<$response$>& writer",
            "::minigrpc::ServerContext&, $request$, ::minigrpc::ServerWriter<$response$>&"};
  return {"::minigrpc::Result<$response$>", "::minigrpc::ServerContext& context, $request$ request",
          "::minigrpc::ServerContext&, $request$"};
}

const char* client_result(const pb::MethodDescriptor& method) {
  if (method.client_streaming() && method.server_streaming())
    return "::minigrpc::ClientStream<$request$, $response$>";
  if (method.client_streaming()) return "::minigrpc::ClientWriter<$request$, $response$>";
  if (method.server_streaming()) return "::minigrpc::ClientReader<$response$>";
  return "::minigrpc::Task<::minigrpc::Result<$response$>>";
}

const char* client_function(const pb::MethodDescriptor& method) {
  if (method.client_streaming() && method.server_streaming()) return "bidirectional<$request$, $response$>";
  if (method.client_streaming()) return "client_streaming<$request$, $response$>";
  if (method.server_streaming()) return "server_streaming<$response$>";
  return "unary<$response$>";
}

const char* serve_function(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) return method.server_streaming() ? "serve_bidirectional" : "serve_client_streaming";
  return method.server_streaming() ? "serve_server_streaming" : "serve_unary";
}

// Line by line: the printer indents what begins a line of its own text, not of a word's.
void print_block(pb::io::Printer& out, const std::string& block) {
  for (std::size_t begin = 0; begin < block.size();) {
    const std::size_t end = block.find('\n', begin);
    out.Print("$line$\n", "line", block.substr(begin, end - begin));
    begin = end + 1;
  }
}

// ---- the header ----

void print_descriptors(pb::io::Printer& out, const pb::ServiceDescriptor& service, const ServiceNames& names) {
  out.Print("static constexpr ::std::string_view kServiceName = \"$name$\";\n", "name", service.full_name());
  for (int i = 0; i < service.method_count(); ++i)
    out.Print(words_of(*service.method(i), names),
              "static constexpr ::minigrpc::MethodDescriptor $constant${\n"
              "    \"$path$\", ::minigrpc::MethodKind::$kind$};\n");
}

void print_handler(pb::io::Printer& out, const pb::ServiceDescriptor& service, const ServiceNames& names) {
  out.Print(
      "// What a server implements. A method that is not overridden answers UNIMPLEMENTED.\n"
      "class Handler : public ::minigrpc::Service {\n"
      " public:\n");
  out.Indent();
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    const Signature signature = handler_signature(method);
    print_block(out, comments_of(method));
    const std::string text = std::string("virtual ::minigrpc::Task<") + signature.result + "> $function$(\n    " +
                             signature.parameters + ");\n\n";
    out.Print(words_of(method, names), text.c_str());
  }
  out.Print(
      "::std::string_view service_name() const final;\n"
      "::std::span<const ::minigrpc::Service::Method> service_methods() const final;\n");
  out.Outdent();
  out.Print("};\n");
}

void print_client(pb::io::Printer& out, const pb::ServiceDescriptor& service, const ServiceNames& names) {
  out.Print(
      "// Calls the service. Cheap to make and to copy. Requests are borrowed until the function returns.\n"
      "class Client {\n"
      " public:\n");
  out.Indent();
  out.Print("// `channel` is borrowed for the life of the client and of its calls.\n");
  if (service.options().deprecated()) out.Print("[[deprecated]] ");
  out.Print("explicit Client(const ::minigrpc::Channel& channel) : channel_(&channel) {}\n"
            "Client(::minigrpc::Channel&&) = delete;\n");
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    out.Print("\n");
    print_block(out, comments_of(method));
    if (method.options().deprecated()) out.Print("[[deprecated]] ");
    const std::string text = std::string(client_result(method)) + " $function$(\n    " +
                             (method.client_streaming() ? "" : "const $request$& request, ") +
                             "::minigrpc::CallOptions options = {}) const;\n";
    out.Print(words_of(method, names), text.c_str());
  }
  out.Outdent();
  out.Print(
      "\n"
      " private:\n"
      "  $unused$const ::minigrpc::Channel* channel_;\n"
      "};\n",
      "unused", service.method_count() == 0 ? "[[maybe_unused]] " : "");
}

void print_service_class(pb::io::Printer& out, const pb::ServiceDescriptor& service) {
  const ServiceNames names = names_of(service);
  print_block(out, comments_of(service));
  out.Print(
      "class $service$ final {\n"
      " public:\n"
      "  $service$() = delete;\n"
      "\n",
      "service", names.service);
  out.Indent();
  print_descriptors(out, service, names);
  out.Print("\n");
  print_handler(out, service, names);
  out.Print("\n");
  print_client(out, service, names);
  out.Outdent();
  out.Print("};\n\n");
}

std::string namespace_of(const pb::FileDescriptor& file) {
  std::string joined;
  for (const std::string& part : namespaces_of(file)) joined += (joined.empty() ? "" : "::") + part;
  return joined;
}

void print_header(pb::io::Printer& out, const pb::FileDescriptor& file, const std::string& base) {
  out.Print(
      "// Generated by protoc-gen-minigrpc from $file$. Do not edit.\n"
      "#pragma once\n"
      "\n"
      "#include \"$base$.pb.h\"\n",
      "file", comment_line(file.name()), "base", base);
  if (file.service_count() == 0) return;
  out.Print(
      "\n"
      "#include <minigrpc/generated.h>\n"
      "\n"
      "#include <span>\n"
      "#include <string_view>\n"
      "\n"
      "#if MINIGRPC_GENERATED_VERSION != $version$\n"
      "#error \"$base$.minigrpc.h was generated for another version of minigrpc: regenerate it with the "
      "protoc-gen-minigrpc of this one\"\n"
      "#endif\n"
      "\n",
      "base", base, "version", std::to_string(kGeneratedVersion));
  const std::string name = namespace_of(file);
  if (!name.empty()) out.Print("namespace $name$ {\n\n", "name", name);
  for (int i = 0; i < file.service_count(); ++i) print_service_class(out, *file.service(i));
  if (!name.empty()) out.Print("}  // namespace $name$\n", "name", name);
}

// ---- the source ----

void print_handler_body(pb::io::Printer& out, const pb::MethodDescriptor& method, const ServiceNames& names) {
  const Signature signature = handler_signature(method);
  const std::string text = std::string("::minigrpc::Task<") + signature.result + "> " + names.service +
                           "::Handler::$function$(\n    " + signature.unnamed_parameters +
                           ") {\n  return ::minigrpc::detail::unimplemented<" + signature.result + ">();\n}\n\n";
  out.Print(words_of(method, names), text.c_str());
}

void print_service_methods(pb::io::Printer& out, const pb::ServiceDescriptor& service, const ServiceNames& names) {
  out.Print(
      "::std::string_view $service$::Handler::service_name() const { return $qualified$::kServiceName; }\n"
      "\n"
      "::std::span<const ::minigrpc::Service::Method> $service$::Handler::service_methods() const {\n",
      "service", names.service, "qualified", names.qualified);
  if (service.method_count() == 0) {
    out.Print("  return {};\n}\n\n");
    return;
  }
  out.Print("  static constexpr ::minigrpc::Service::Method kMethods[] = {\n");
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    Words words = words_of(method, names);
    words["serve"] = serve_function(method);
    out.Print(words,
              "      {$service$::$constant$,\n"
              "       &::minigrpc::detail::$serve$<$service$::Handler, $request$, $response$,\n"
              "           &$service$::Handler::$function$>},\n");
  }
  out.Print("  };\n  return kMethods;\n}\n\n");
}

void print_client_body(pb::io::Printer& out, const pb::MethodDescriptor& method, const ServiceNames& names) {
  const bool one_request = !method.client_streaming();
  const std::string text = std::string(client_result(method)) + " " + names.service + "::Client::$function$(\n    " +
                           (one_request ? "const $request$& request, " : "") +
                           "::minigrpc::CallOptions options) const {\n  return ::minigrpc::detail::" +
                           client_function(method) + "(\n      *channel_, $service$::$constant$, " +
                           (one_request ? "request, " : "") + "::std::move(options));\n}\n\n";
  out.Print(words_of(method, names), text.c_str());
}

// As protobuf names the file's descriptors: "shop/prod.proto" is "shop_2fprod_2eproto".
std::string identifier_of(const pb::FileDescriptor& file) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string identifier;
  for (const char c : file.name()) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      identifier += c;
    } else {
      identifier += '_';
      if (byte >= 16) identifier += kDigits[byte / 16];
      identifier += kDigits[byte % 16];
    }
  }
  return identifier;
}

// A file with services alone has no class that anything refers to: in a static library the linker would leave its
// descriptors behind, and reflection would not know the services.
void print_keep_descriptors(pb::io::Printer& out, const pb::FileDescriptor& file) {
  if (file.options().optimize_for() == pb::FileOptions::LITE_RUNTIME) return;
  out.Print(
      "namespace {\n"
      "// Keeps the descriptors in the program, for reflection.\n"
      "[[maybe_unused, gnu::used]] const void* const minigrpc_keep_$id$ = &::descriptor_table_$id$;\n"
      "}  // namespace\n"
      "\n",
      "id", identifier_of(file));
}

void print_source(pb::io::Printer& out, const pb::FileDescriptor& file, const std::string& base) {
  out.Print(
      "// Generated by protoc-gen-minigrpc from $file$. Do not edit.\n"
      "#include \"$base$.minigrpc.h\"\n",
      "file", comment_line(file.name()), "base", base);
  if (file.service_count() == 0) return;
  const std::string name = namespace_of(file);
  out.Print("\n#include <utility>\n\n");
  print_keep_descriptors(out, file);
  if (!name.empty()) out.Print("namespace $name$ {\n\n", "name", name);
  for (int i = 0; i < file.service_count(); ++i) {
    const pb::ServiceDescriptor& service = *file.service(i);
    const ServiceNames names = names_of(service);
    for (int m = 0; m < service.method_count(); ++m) print_handler_body(out, *service.method(m), names);
    print_service_methods(out, service, names);
    for (int m = 0; m < service.method_count(); ++m) print_client_body(out, *service.method(m), names);
  }
  if (!name.empty()) out.Print("}  // namespace $name$\n", "name", name);
}

// ---- what cannot become C++ ----

bool refuse(const pb::FileDescriptor& file, const std::string& parameter, std::string* error) {
  if (!parameter.empty()) {
    *error = "unknown option \"" + parameter + "\": protoc-gen-minigrpc takes none";
    return true;
  }
  if (file.service_count() == 0) return false;
  if (file.options().cc_generic_services()) {
    *error = "option cc_generic_services makes protobuf print a class " + file.service(0)->name() +
             " of its own: remove the option";
    return true;
  }
  for (const std::string& part : namespaces_of(file)) {
    if (!is_reserved_word(part)) continue;
    *error = "package " + file.package() + ": this version of protobuf prints `namespace " + part +
             "`, which C++ does not allow: rename the package";
    return true;
  }
  return false;
}

}  // namespace

bool Generator::Generate(const pb::FileDescriptor* file, const std::string& parameter,
                         pb::compiler::GeneratorContext* context, std::string* error) const {
  if (refuse(*file, parameter, error)) return false;
  const std::string base = pb::compiler::cpp::StripProto(file->name());
  const std::unique_ptr<pb::io::ZeroCopyOutputStream> header(context->Open(base + ".minigrpc.h"));
  pb::io::Printer header_printer(header.get(), '$');
  print_header(header_printer, *file, base);
  const std::unique_ptr<pb::io::ZeroCopyOutputStream> source(context->Open(base + ".minigrpc.cc"));
  pb::io::Printer source_printer(source.get(), '$');
  print_source(source_printer, *file, base);
  return true;
}

}  // namespace minigrpc::plugin
