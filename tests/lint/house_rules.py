"""The mechanical house rules, as a test: what each folder may include, what purity forbids, names, sizes, paths.

usage: house_rules.py [ROOT]     prints file:line: what is wrong and what to do; exits with 1 if there is anything
"""

import dataclasses
import os
import pathlib
import re
import sys


@dataclasses.dataclass(frozen=True)
class Row:
    """A folder of the map in ARCHITECTURE.md: what its #include lines may name besides itself and the standard library."""

    folders: frozenset = frozenset()  # of src/
    libraries: frozenset = frozenset()
    public: frozenset | None = None  # of include/minigrpc/; None for all
    pure: bool = False


def row(folders="", libraries="", public=None, pure=False):
    return Row(frozenset(folders.split()), frozenset(libraries.split()),
               None if public is None else frozenset(public.split()), pure)


VALUES = "buffer.h compression.h metadata.h result.h status.h"  # public headers without a thread or an executor in them

# The map. Everyone above base may include base.
MAP = {
    "src/base": row("", "", VALUES + " task.h context.h detail/memory.h", pure=True),
    "src/wire": row("base", "zlib zstd", VALUES, pure=True),
    "src/h2": row("base", "nghttp2", VALUES, pure=True),
    "src/net": row("base", "boost/asio boost/beast boost/system openssl posix"),
    "src/rpc": row("base wire h2 net", "protobuf posix boost/json boost/system"),
    "src/services": row("base rpc", "protobuf posix"),
    "src/store": row("base", "lmdb posix", VALUES),
    "src/auth": row("base", "openssl protobuf posix", VALUES),
    "src/bbolt": row("base", "", VALUES, pure=True),
    "src/snapshot": row("base bbolt store", "protobuf openssl posix", VALUES),
    "src/etcd": row("base rpc", "protobuf posix"),
    "src/discovery": row("base etcd rpc", "protobuf posix"),
    "src/registry": row("base auth net rpc services snapshot store", "protobuf posix"),
    "src/test_kit": row("base net", "boost/asio boost/system posix"),
    "plugin": row("", "protobuf posix", ""),
    "apps": row("base registry snapshot", "protobuf posix yaml-cpp"),
    "examples": row("", "protobuf posix"),
}

# An #include between angle brackets that begins like this belongs to that library. The longest beginning counts.
LIBRARIES = {
    "boost/": "boost", "boost/asio": "boost/asio", "boost/beast": "boost/beast", "boost/json": "boost/json",
    "boost/system/": "boost/system", "google/protobuf/": "protobuf", "gmock/": "gtest", "grpc": "grpc++",
    "gtest/": "gtest", "lmdb.h": "lmdb", "nghttp2/": "nghttp2", "openssl/": "openssl", "yaml-cpp/": "yaml-cpp", "zlib.h": "zlib", "zstd.h": "zstd",
    "arpa/": "posix", "crypt.h": "posix", "linux/": "posix", "net/": "posix", "netinet/": "posix", "sys/": "posix",
    "dirent.h": "posix", "errno.h": "posix", "fcntl.h": "posix", "netdb.h": "posix", "poll.h": "posix",
    "pthread.h": "posix", "pwd.h": "posix", "sched.h": "posix", "signal.h": "posix", "time.h": "posix",
    "spawn.h": "posix", "syslog.h": "posix", "termios.h": "posix", "unistd.h": "posix",
}

IMPURE_HEADERS = {"condition_variable", "future", "mutex", "shared_mutex", "semaphore", "stop_token", "thread",
                  "random", "fstream", "iostream", "istream", "ostream", "sstream", "syncstream", "filesystem"}
IMPURE_CODE = {
    r"\basio\b": "Asio",
    r"\bstd::(jthread|thread|async|future|promise)\b": "a thread",
    r"\bstd::(\w+_)?mutex\b|\bstd::condition_variable": "a lock",
    r"(::|\.|->)\s*now\s*\(|\bclock_gettime\b|\bgettimeofday\b|\bstd::time\s*\(": "the time",
    r"\brandom_device\b|\bmt19937|\bgetrandom\b|\bstd::rand\b": "randomness",
    r"\bstd::(cout|cerr|clog|cin|[io]?f?stream|[io]?stringstream)\b": "a stream",
    r"\bgetenv\b": "the environment",
}

FORBIDDEN_WORDS = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
LINES_MAX = 800
CODE = {".h", ".cc", ".py", ".sh"}
TEXT = CODE | {".cmake", ".json", ".md", ".proto", ".service", ".txt", ".yml", ".yaml", ".in"}
# Built, generated, or bytes that a fuzzer wrote.
SKIPPED_FOLDERS = {"corpus", "golden", "node_modules", "out", "testdata", "__pycache__"}

# Put together here, lest this file find itself.
PERSONAL_PATH = re.compile(r"(?<![\w./-])/(?:wor" + r"k|root|home/\w+)/")
TEMPORARY_PATH = re.compile(r"(?<![\w.])/tm" + r"p/")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
LITERAL_OR_COMMENT = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s"]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


class Tree:
    """The files below `root` that people wrote, and what is wrong with them."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.findings = []
        self.paths = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(f for f in folders
                                if not f.startswith((".", "build")) and f not in SKIPPED_FOLDERS)
            self.paths += [(pathlib.Path(folder) / f).relative_to(self.root) for f in sorted(files)
                           if not f.startswith(".")]

    def text(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def report(self, path, line, message):
        self.findings.append(f"{path}:{line}: {message}")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def bare(text):
    """The code alone: comments and literals blanked, every line where it was. #include "x" lines stay whole."""

    def blank(match):
        return "\n" * match.group().count("\n")

    return LITERAL_OR_COMMENT.sub(blank, text)


def without_comments(text):
    def blank(match):
        return match.group() if match.group()[0] not in "/" else "\n" * match.group().count("\n")

    return LITERAL_OR_COMMENT.sub(blank, text)


def includes(text):
    """(line, bracket, name) of every #include that is not commented out."""
    text = without_comments(text)
    return [(line_of(text, m.start(1)), m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]


def library_of(name):
    """The library of a name between angle brackets; "std" for the standard one, None if nobody knows it."""
    known = [beginning for beginning in LIBRARIES if name.startswith(beginning)]
    if known:
        return LIBRARIES[max(known, key=len)]
    return "std" if re.fullmatch(r"[a-z_0-9]+", name) else None


def is_generated(name):
    return name.endswith((".pb.h", ".minigrpc.h"))


def is_test_file(path):
    """Whether it is part of a folder's tests, which may use gtest, any public header and tests/support."""
    return path.stem.endswith("_test") or path.stem.startswith("test_")


def check_row_includes(tree, path, folder):
    """(a) The #include lines of a folder stay in its row of the map."""
    allowed = MAP[folder]
    is_test = is_test_file(path)
    for line, bracket, name in includes(tree.text(path)):
        if bracket == '"':
            first = name.split("/")[0]
            if is_generated(name):
                if "protobuf" not in allowed.libraries:
                    tree.report(path, line, f'{folder} may not include generated code ("{name}"): '
                                            "protobuf begins at rpc; hand bytes to the layers below")
            elif "/" not in name or (tree.root / path.parent / name).exists() or is_test and first == "support":
                pass
            elif (tree.root / "src" / first).is_dir() or f"src/{first}" in MAP:
                if f"src/{first}" != folder and first not in allowed.folders:
                    may = " ".join(sorted(allowed.folders)) or "no other folder"
                    tree.report(path, line, f'{folder} may not include "{name}": its row in ARCHITECTURE.md allows '
                                            f"{may}; move the code, or change the map there and in tests/lint")
            elif not folder.startswith("src/") and name.startswith(path.parts[1] + "/"):
                pass
            else:
                tree.report(path, line, f'"{name}" is in no folder of src/: include it as "folder/file.h"')
        elif name.startswith("minigrpc/"):
            if not is_test and allowed.public is not None and name.removeprefix("minigrpc/") not in allowed.public:
                tree.report(path, line, f"{folder} may not include <{name}>: of the public headers it may use "
                                        f"{' '.join(sorted(allowed.public)) or 'none'}")
        else:
            library = library_of(name)
            if library is None:
                tree.report(path, line, f"<{name}> is of no library that this project uses: a new dependency needs "
                                        "a line in ARCHITECTURE.md, and one in tests/lint/house_rules.py")
            elif library not in allowed.libraries and library != "std" and not (
                    is_test and library in ("gtest", "posix") or path.name == "asio_test.cc" and library == "boost/asio"):
                tree.report(path, line, f"{folder} may not include <{name}> ({library}): its row in ARCHITECTURE.md "
                                        f"allows {' '.join(sorted(allowed.libraries)) or 'no library'}")


def check_public_includes(tree, path):
    """(a) A public header costs its user the standard library and nothing else."""
    for line, bracket, name in includes(tree.text(path)):
        library = library_of(name)
        if bracket == "<" and (name.startswith("minigrpc/") or library == "std"):
            continue
        if path.name == "asio.h" and library in ("boost/asio", "boost/system"):
            continue
        tree.report(path, line, f"a public header may not include {name}: only <minigrpc/...> and the standard "
                                "library, Boost.Asio in asio.h alone; hide it behind a class that a .cc defines")


def check_purity(tree, path, folder):
    """(b) A pure folder takes time, randomness and bytes as arguments."""
    text = tree.text(path)
    for line, _, name in includes(text):
        if name in IMPURE_HEADERS:
            tree.report(path, line, f"{folder} is pure: no <{name}>; take what you need as an argument")
    code = bare(text)
    for pattern, what in IMPURE_CODE.items():
        for match in re.finditer(pattern, code):
            tree.report(path, line_of(code, match.start()),
                        f"{folder} is pure: it may not use {what} ({match.group().strip()}); take it as an argument, "
                        "or do it in net or rpc")


def check_name(tree, path):
    """(c) A file without an idea has a name like these."""
    for part in path.parts:
        words = set(re.split(r"[_\-.]", part.lower())) & FORBIDDEN_WORDS
        if words and path.suffix in TEXT:
            tree.report(path, 1, f"'{words.pop()}' names no idea: call {part} after what it is about")


def check_header(tree, path):
    """(c) A header opens with what the thing is, then its thread rule."""
    text = tree.text(path)
    opening = re.match(r"(?://[^\n]*\n)+", text)
    if not opening or not re.match(r"// \S[^\n]*(\n// [^\n]*)*[.:]\n", opening.group()):
        tree.report(path, 1, "a header opens with a comment, one sentence that says what the thing is")
    elif not text[opening.end():].startswith("#pragma once\n"):
        tree.report(path, line_of(text, opening.end()), "#pragma once follows the opening comment, on the next line")
    elif path.parts[0] != "tests" and not is_test_file(path) and not re.search(r"\bthread|\bpure\b", opening.group(), re.IGNORECASE):
        tree.report(path, 1, "the opening comment says who may use this on which thread: '// Thread rule: ...', "
                             "or Pure for what has no state")


def check_own_header_first(tree, path):
    """(c) x.cc proves that x.h stands alone by including it first."""
    own = path.with_suffix(".h").name
    if not (tree.root / path).with_suffix(".h").exists():
        return
    names = includes(tree.text(path))
    if names and names[0][2].split("/")[-1] != own:
        tree.report(path, names[0][0], f"include {own} first: so it is known to compile alone")


def check_size(tree, path):
    """(c) Files are split by idea before they grow."""
    count = tree.text(path).count("\n")
    if count > LINES_MAX:
        tree.report(path, LINES_MAX + 1, f"{count} lines, where {LINES_MAX} are the most: split it by idea")


def check_paths(tree, path):
    """(d) Nothing depends on the machine that it was written on."""
    text = tree.text(path)
    for match in PERSONAL_PATH.finditer(text):
        tree.report(path, line_of(text, match.start()),
                    f"{match.group()}... exists on one machine only: use a path relative to the repository")
    if path.suffix in CODE:
        for match in TEMPORARY_PATH.finditer(text):
            tree.report(path, line_of(text, match.start()),
                        "a fixed temporary path collides with the next run: make a fresh directory (mktemp -d, "
                        "tempfile, mkdtemp)")


def folder_of(path):
    """The row of the map that a file belongs to, or None."""
    for depth in (2, 1):
        folder = "/".join(path.parts[:depth])
        if len(path.parts) > depth and folder in MAP:
            return folder
    return None


def check(root):
    """Every finding in the tree at `root`, as file:line: message."""
    tree = Tree(root)
    for path in tree.paths:
        check_name(tree, path)
        if path.suffix in TEXT or path.suffix == "":
            check_paths(tree, path)
        if path.suffix in CODE:
            check_size(tree, path)
        if path.suffix == ".h":
            check_header(tree, path)
        if path.suffix == ".cc":
            check_own_header_first(tree, path)
        if path.suffix not in (".h", ".cc"):
            continue
        folder = folder_of(path)
        if path.parts[0] == "include":
            check_public_includes(tree, path)
        elif folder:
            check_row_includes(tree, path, folder)
            if MAP[folder].pure and not is_test_file(path):
                check_purity(tree, path, folder)
        elif path.parts[0] == "src":
            tree.report(path, 1, f"src/{path.parts[1]} is not on the map: add its row to ARCHITECTURE.md and tests/lint")
    return tree.findings


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    findings = check(root)
    print("\n".join(findings) if findings else "the house rules hold")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
