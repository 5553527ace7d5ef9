// Compares what is printed for testdata/*.proto with testdata/expected/. After a wanted change, and after a look at
// the difference, write the new expectation with
//
//   MINIGRPC_UPDATE_GOLDEN=1 build/test/plugin_test --gtest_filter='*Golden*'
#include "generator.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>
#include <minigrpc/generated.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace minigrpc::plugin {
namespace {

namespace pb = google::protobuf;
namespace fs = std::filesystem;

static_assert(kGeneratedVersion == MINIGRPC_GENERATED_VERSION);

class MemoryContext final : public pb::compiler::GeneratorContext {
 public:
  pb::io::ZeroCopyOutputStream* Open(const std::string& name) override {
    return new pb::io::StringOutputStream(&files[name]);
  }
  std::map<std::string, std::string> files;
};

struct Throwing final : pb::compiler::MultiFileErrorCollector {
  void AddError(const std::string& name, int line, int, const std::string& message) override {
    ADD_FAILURE() << name << ":" << line + 1 << ": " << message;
  }
};

// The directory of .proto files, parsed.
class Schemas {
 public:
  explicit Schemas(const fs::path& root) {
    tree_.MapPath("", root.string());
    tree_.MapPath("", PROTOBUF_INCLUDE_DIR);
  }
  const pb::FileDescriptor* import(const std::string& name) { return importer_.Import(name); }

 private:
  pb::compiler::DiskSourceTree tree_;
  Throwing errors_;
  pb::compiler::Importer importer_{&tree_, &errors_};
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

const fs::path kTestdata = TESTDATA_DIR;

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, PrintsWhatIsExpected) {
  Schemas schemas(kTestdata);
  const pb::FileDescriptor* file = schemas.import(GetParam());
  ASSERT_NE(file, nullptr);
  MemoryContext context;
  std::string error;
  ASSERT_TRUE(Generator().Generate(file, "", &context, &error)) << error;
  EXPECT_EQ(context.files.size(), 2u);
  for (const auto& [name, text] : context.files) {
    const fs::path expected = kTestdata / "expected" / name;
    if (std::getenv("MINIGRPC_UPDATE_GOLDEN") != nullptr) write(expected, text);
    EXPECT_EQ(text, read(expected)) << expected;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Golden,
                         testing::Values("prod.proto", "kinds.proto", "comments.proto", "names.proto",
                                         "deprecated.proto", "lite.proto", "sub/parts.proto", "sub/imports.proto"),
                         [](const auto& test) {
                           return fs::path(test.param).stem().string();
                         });

class Refusal : public testing::Test {
 protected:
  // The error for a file of `text`; empty when it was not refused.
  std::string refuse(const std::string& text, const std::string& parameter = "") {
    const fs::path root = fs::path(testing::TempDir()) / ("minigrpc_plugin_" + std::to_string(getpid()));
    write(root / "x.proto", "syntax = \"proto3\"; message M {} " + text);
    Schemas schemas(root);
    MemoryContext context;
    std::string error;
    const bool printed = Generator().Generate(schemas.import("x.proto"), parameter, &context, &error);
    EXPECT_EQ(printed, error.empty());
    EXPECT_EQ(context.files.empty(), !printed);
    fs::remove_all(root);
    return error;
  }
};

TEST_F(Refusal, OfAnyOption) {
  EXPECT_EQ(refuse("", "lite=true"), "unknown option \"lite=true\": protoc-gen-minigrpc takes none");
}
TEST_F(Refusal, OfGenericServices) {
  EXPECT_EQ(refuse("option cc_generic_services = true; service Stock {}"),
            "option cc_generic_services makes protobuf print a class Stock of its own: remove the option");
  EXPECT_EQ(refuse("option cc_generic_services = true;"), "");
}
TEST_F(Refusal, OfPackagesThatProtobufDoesNotEscape) {
  // Later versions of protobuf escape them; then there is nothing to refuse.
  if (GOOGLE_PROTOBUF_VERSION < 3022000) {
    EXPECT_EQ(refuse("package shop.new; service Stock {}"),
              "package shop.new: this version of protobuf prints `namespace new`, which C++ does not allow: rename the "
              "package");
  }
}
TEST_F(Refusal, OfNothingElse) { EXPECT_EQ(refuse("package shop; service Stock {}"), ""); }

TEST(Generator, SupportsOptionalFields) {
  EXPECT_TRUE(Generator().GetSupportedFeatures() & pb::compiler::CodeGenerator::FEATURE_PROTO3_OPTIONAL);
}

}  // namespace
}  // namespace minigrpc::plugin
