// protoc-gen-minigrpc: protoc starts it, writes a CodeGeneratorRequest to its standard input, and reads the answer from
// its standard output. Started by hand, it says so.
#include "generator.h"

#include <google/protobuf/compiler/plugin.h>

#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace {

constexpr char kHelp[] =
    "protoc-gen-minigrpc prints minigrpc's clients and handlers for the services of .proto files.\n"
    "protoc runs it:\n"
    "\n"
    "  protoc --plugin=protoc-gen-minigrpc=/path/to/protoc-gen-minigrpc --cpp_out=DIR --minigrpc_out=DIR x.proto\n"
    "\n"
    "writes x.pb.h and x.pb.cc (protobuf's own), x.minigrpc.h and x.minigrpc.cc. --plugin is not needed where\n"
    "protoc-gen-minigrpc is in PATH. From CMake: minigrpc_generate(TARGET x.proto), see minigrpc's README.\n"
    "\n"
    "  --version   print the version\n"
    "  --help      print this text\n";

}  // namespace

int main(int argc, char* argv[]) {
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argument == "--version") {
    std::printf("protoc-gen-minigrpc %s (generated code version %d)\n", MINIGRPC_VERSION,
                minigrpc::plugin::kGeneratedVersion);
    return 0;
  }
  if (argument == "--help" || argument == "-h") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (argc > 1) {
    std::fprintf(stderr, "protoc-gen-minigrpc: unknown argument %s (--help tells)\n", argv[1]);
    return 2;
  }
  if (isatty(STDIN_FILENO)) {
    std::fputs(kHelp, stderr);
    return 2;
  }
  const minigrpc::plugin::Generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}
