#!/usr/bin/env bash
# install_test.sh BUILD_DIR PROJECT_DIR: installs the build, moves the tree, and builds and runs the project against it:
# once with CMake's find_package, once with pkg-config and the bare compiler. CMAKE, CMAKE_GENERATOR, CXX and
# SANITIZE come from ctest.
set -euo pipefail
build=$1 project=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
flags=${SANITIZE:+-fsanitize=$SANITIZE}

say() { printf '\n== %s\n' "$*"; }
expect_80() {
  local answer
  answer=$("$1")
  [[ $answer == "stock: 80" ]] || { echo "$1 printed \"$answer\", not \"stock: 80\""; exit 1; }
  echo "$answer"
}

say "install, and move the tree: nothing may remember where it was"
"$CMAKE" --install "$build" --prefix "$scratch/staged" >"$scratch/install.log"
mv "$scratch/staged" "$scratch/prefix"
prefix=$scratch/prefix
pc_dir=$(dirname "$(find "$prefix" -name minigrpc.pc)")
# All but the unit for systemd, which has to say where the program is.
unit=$prefix/lib/systemd/system/minigrpcd.service
if [[ -f $unit ]]; then grep -x "ExecStart=$scratch/staged/bin/minigrpcd" "$unit"; fi
if grep -rIlE --exclude=minigrpcd.service -- "$scratch/staged|$build" "$prefix"; then
  echo "these installed files name the build or the prefix"; exit 1
fi

say "each public header compiles on its own"
for header in "$prefix"/include/minigrpc/*.h; do
  echo "#include <minigrpc/$(basename "$header")>"
done >"$scratch/headers.cc"
"$CXX" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Werror -I "$prefix/include" "$scratch/headers.cc"

say "find_package(minigrpc)"
"$CMAKE" -S "$project" -B "$scratch/build" -D CMAKE_PREFIX_PATH="$prefix" -D CMAKE_CXX_COMPILER="$CXX" \
  -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS="$flags" >"$scratch/configure.log" || { cat "$scratch/configure.log"; exit 1; }
"$CMAKE" --build "$scratch/build" --parallel 2
expect_80 "$scratch/build/stock"

say "pkg-config"
mkdir "$scratch/plain"
export PKG_CONFIG_PATH=$pc_dir
protoc -I "$project" --plugin=protoc-gen-minigrpc="$prefix/bin/protoc-gen-minigrpc" \
  --cpp_out="$scratch/plain" --minigrpc_out="$scratch/plain" "$project"/api/*.proto
# shellcheck disable=SC2046,SC2086  # words are wanted
"$CXX" -std=c++20 $flags -I "$scratch/plain" $(pkg-config --cflags minigrpc) "$project/main.cc" \
  "$scratch"/plain/api/*.cc $(pkg-config --libs minigrpc) -o "$scratch/plain/stock"
expect_80 "$scratch/plain/stock"

say "programs"
"$prefix/bin/protoc-gen-minigrpc" --version
for program in minigrpcd minigrpc; do
  if [[ -x $build/bin/$program ]]; then "$prefix/bin/$program" --help >/dev/null; fi
done
