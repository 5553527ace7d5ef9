"""Proves that each of the house rules can fail: a small clean tree, and one wrong file at a time put into it."""

import pathlib
import tempfile
import unittest

import house_rules

HEADER = "// The thing itself.\n//\n// Thread rule: like an int.\n#pragma once\n"

CLEAN = {
    "include/minigrpc/status.h": HEADER + "#include <string>\n",
    "include/minigrpc/channel.h": HEADER + "#include <minigrpc/status.h>\n#include <memory>\n",
    "include/minigrpc/asio.h": HEADER + "#include <boost/asio/async_result.hpp>\n",
    "src/base/clock.h": HEADER + "struct Clock { virtual int now() const = 0; };\n",
    "src/wire/timeout.h": HEADER + '#include <minigrpc/status.h>\n#include "base/clock.h"\n',
    "src/wire/timeout.cc": '#include "wire/timeout.h"\n\n#include <string>\n// std::mutex, or clock.now(): not here\n'
                           'const char* text = "std::thread";  /* #include <thread> */\nconst char* raw = R"(std::cout)";\n',
    "src/wire/timeout_test.cc": '#include "wire/timeout.h"\n\n#include <gtest/gtest.h>\n#include <random>\n'
                                '#include "support/peer.h"\n',
    "src/wire/test_peer.h": "// A peer for the tests.\n#pragma once\n#include <gtest/gtest.h>\n#include <minigrpc/channel.h>\n",
    "src/h2/connection.cc": '#include <nghttp2/nghttp2.h>\n#include "base/clock.h"\n',
    "src/net/loop.cc": "#include <boost/asio.hpp>\n#include <sys/socket.h>\n#include <thread>\nauto t = clock.now();\n",
    "src/rpc/channel.cc": '#include <minigrpc/channel.h>\n\n#include "net/loop.h"\n#include "wire/timeout.h"\n',
    "src/store/store.cc": "#include <lmdb.h>\n#include <fcntl.h>\n",
    "src/registry/kv.cc": '#include "etcd/api/kv.pb.h"\n#include "store/store.h"\n',
    "apps/minigrpcd/flags.h": HEADER,
    "apps/minigrpcd/main.cc": '#include <minigrpc/channel.h>\n#include "flags.h"\n#include "minigrpcd/flags.h"\n'
                              '#include "registry/kv.h"\n',
    "plugin/main.cc": "#include <google/protobuf/compiler/plugin.h>\n",
    "bench/peer/server.cc": "#include <grpcpp/grpcpp.h>\n",
    "fuzz/corpus/x/utils.h": "any bytes /wor" + "k/\n",
    "build-debug/src/utils.h": "\n",
    "tests/lint/notes.md": "unpack it in /tm" + "p/x; see https://example.org/wor" + "k/x\n",
}

# (what is wrong, where, the file's text, a part of the finding)
WRONG = [
    ("wire does not know h2", "src/wire/x.cc", '#include "h2/connection.h"\n', 'src/wire may not include "h2/connection.h"'),
    ("etcd is above net, not beside it", "src/etcd/x.cc", '#include "net/loop.h"\n', "src/etcd may not include"),
    ("nor does a test", "src/wire/x_test.cc", '#include "rpc/channel.h"\n', "src/wire may not include"),
    ("a file of nowhere", "src/rpc/x.cc", '#include "channel_state.h/x"\n', "is in no folder of src/"),
    ("generated code in a lower layer", "src/store/x.cc", '#include "etcd/api/kv.pb.h"\n', "protobuf begins at rpc"),
    ("Asio outside of net", "src/rpc/x.cc", "#include <boost/asio/post.hpp>\n", "(boost/asio)"),
    ("other Boost in net", "src/net/x.cc", "#include <boost/regex.hpp>\n", "(boost)"),
    ("LMDB outside of store", "src/registry/x.cc", "#include <lmdb.h>\n", "(lmdb)"),
    ("grpc++ in our own code", "src/rpc/x.cc", "#include <grpcpp/grpcpp.h>\n", "(grpc++)"),
    ("an unknown library", "src/rpc/x.cc", "#include <absl/strings/str_cat.h>\n", "a new dependency needs"),
    ("sockets in a pure folder", "src/h2/x.cc", "#include <sys/socket.h>\n", "(posix)"),
    ("the executor in a pure folder", "src/wire/x.cc", "#include <minigrpc/channel.h>\n", "of the public headers it may use"),
    ("a public header in the plugin", "plugin/x.cc", "#include <minigrpc/status.h>\n", "of the public headers it may use"),
    ("an example that looks inside", "examples/prod/x.cc", '#include "rpc/channel.h"\n', "examples may not include"),
    ("an app that looks inside", "apps/minigrpcd/x.cc", '#include "store/store.h"\n', "apps may not include"),
    ("a folder that is not on the map", "src/cluster/x.cc", "#include <string>\n", "is not on the map"),
    ("Boost in a public header", "include/minigrpc/x.h", HEADER + "#include <boost/asio.hpp>\n", "a public header may not"),
    ("protobuf in a public header", "include/minigrpc/x.h", HEADER + "#include <google/protobuf/message.h>\n",
     "a public header may not"),
    ("src in a public header", "include/minigrpc/detail/x.h", HEADER + '#include "rpc/call.h"\n', "a public header may not"),
    ("other Boost in asio.h", "include/minigrpc/asio.h", HEADER + "#include <boost/beast.hpp>\n", "a public header may not"),
    ("an impure standard header", "src/h2/x.h", HEADER + "#include <mutex>\n", "src/h2 is pure: no <mutex>"),
    ("a stream", "src/base/x.cc", "#include <sstream>\n", "src/base is pure: no <sstream>"),
    ("a thread", "src/wire/x.cc", "void f() { std::thread t; }\n", "(std::thread)"),
    ("a lock", "src/wire/x.cc", "std::recursive_mutex m;\n", "a lock"),
    ("the time", "src/h2/x.cc", "auto t = std::chrono::steady_clock::now();\n", "the time"),
    ("the time of an interface", "src/h2/x.cc", "auto t = clock->now();\n", "the time"),
    ("randomness", "src/wire/x.cc", "std::random_device d;\n", "randomness"),
    ("output", "src/wire/x.cc", 'void f() { std::cerr << "x"; }\n', "a stream"),
    ("after a literal with a quote", "src/wire/x.cc", "char c = '\"'; std::mutex m; char d = '\"';\n", "a lock"),
    ("after a number with separators", "src/wire/x.cc", "int i = 1'000; std::mutex m; char c = 'x';\n", "a lock"),
    ("a name without an idea", "src/rpc/string_utils.cc", "\n", "'utils' names no idea"),
    ("in Python too", "tests/interop/helpers.py", "\n", "'helpers' names no idea"),
    ("a folder without an idea", "src/rpc/common/x.h", HEADER, "'common' names no idea"),
    ("a header without an opening", "src/rpc/x.h", "#pragma once\n", "opens with a comment"),
    ("an opening without a sentence", "src/rpc/x.h", "// thread stuff\n#pragma once\n", "opens with a comment"),
    ("a guard of the old kind", "src/rpc/x.h", "// The thing. Thread rule: one.\n#ifndef X\n#endif\n", "#pragma once follows"),
    ("no thread rule", "src/rpc/x.h", "// The thing itself.\n#pragma once\n", "'// Thread rule: ...'"),
    ("not its own header first", "src/wire/timeout.cc", '#include <string>\n#include "wire/timeout.h"\n',
     "include timeout.h first"),
    ("a file of 801 lines", "src/rpc/x.cc", "\n" * 801, "801 lines"),
    ("a long script", "tests/x.py", "\n" * 801, "801 lines"),
    ("a workplace", "docs/x.md", "cd /wor" + "k/main\n", "exists on one machine only"),
    ("somebody's home", "CMakeLists.txt", "set(x /home/" + "ada/x)\n", "exists on one machine only"),
    ("a shared temporary file", "tests/x.py", 'open("/tm' + 'p/x")\n', "collides with the next run"),
]


class HouseRules(unittest.TestCase):

    def findings(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return house_rules.check(root)

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(self.findings(CLEAN), [])
        self.assertEqual(self.findings(CLEAN | {"src/rpc/x.cc": "\n" * 800}), [])

    def test_each_rule_can_fail(self):
        for what, name, text, expected in WRONG:
            with self.subTest(what):
                findings = self.findings(CLEAN | {name: text})
                self.assertEqual(len(findings), 1, findings)
                self.assertIn(expected, findings[0])
                self.assertTrue(findings[0].startswith(name + ":"), findings[0])

    def test_a_finding_names_its_line(self):
        findings = self.findings(CLEAN | {"src/wire/x.cc": "/*\n\n*/\n#include <string>\nR\"(\n)\";\nstd::mutex m;\n"})
        self.assertTrue(findings[0].startswith("src/wire/x.cc:7:"), findings)


if __name__ == "__main__":
    unittest.main()
