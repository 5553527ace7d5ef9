"""README code is cut from files that compile: each block under `<!-- file: PATH -->` is that file's text.

usage: readme_code.py [--write]     prints what differs and exits with 1; --write puts the files' text in
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
READMES = ["README.md", "README.zh-CN.md"]
BLOCK = re.compile(r"(<!-- file: (?P<path>\S+) -->\n```\w+\n)(?P<code>.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
ANY_BLOCK = re.compile(r"^```(cpp|proto|cmake)$", re.MULTILINE)


def findings(name, text):
    """What differs in one README."""
    blocks = list(BLOCK.finditer(text))
    if len(blocks) != len(ANY_BLOCK.findall(text)):
        yield f"{name}: a block of code without `<!-- file: PATH -->` above it: cut it from a file that the tests build"
    if not blocks:
        yield f"{name}: shows no code at all"
    for block in blocks:
        path = ROOT / block["path"]
        if not path.exists():
            yield f"{name}: there is no {block['path']}"
        elif path.read_text(encoding="utf-8") != block["code"]:
            yield f"{name}: its text of {block['path']} is not the file's: run {pathlib.Path(__file__).name} --write"


def with_file_text(block):
    path = ROOT / block["path"]
    return block[1] + (path.read_text(encoding="utf-8") if path.exists() else block["code"])


def main():
    if sys.argv[1:] == ["--write"]:
        for name in READMES:
            path = ROOT / name
            text = BLOCK.sub(with_file_text, path.read_text(encoding="utf-8"))
            path.write_text(text, encoding="utf-8")
    found = [finding for name in READMES for finding in findings(name, (ROOT / name).read_text(encoding="utf-8"))]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
