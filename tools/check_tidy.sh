#!/usr/bin/env bash
# clang-tidy (.clang-tidy) over the sources that clang compiles; tests are left to the compilers' own warnings.
# usage: tools/check_tidy.sh [FILE...]      without files: all of src/, a room at a time
set -euo pipefail
cd "$(dirname "$0")/.."
tidy=$(command -v clang-tidy-19 || command -v clang-tidy)
# Most of the time goes into matching others' headers (clang-tidy looks at them and then says nothing of them). A room
# as one source has them matched once instead of once per file: 16 minutes of processor time became 2.2.
unity=ON
[ $# -gt 0 ] && unity=OFF
cmake --preset asan -B build/tidy -Wno-dev -DCMAKE_UNITY_BUILD=$unity >/dev/null
mapfile -t compiled < <(sed -nE 's/^ *"file": "(.*)",?$/\1/p' build/tidy/compile_commands.json |
  grep -vE '_test\.(cc|dir/)|_testing\.dir/|/testing/' | grep -E '/src/.*\.(cc|cxx)$')
if [ $# -gt 0 ]; then
  mapfile -t files < <(for file in "$@"; do realpath -m "$file"; done | grep -xF -f <(printf '%s\n' "${compiled[@]}"))
else
  files=("${compiled[@]}")
fi
[ ${#files[@]} -gt 0 ] || { echo "tidy: no such source in build/tidy/compile_commands.json" >&2; exit 1; }
# Big ones first, so that no worker ends with the biggest alone; the size of a room is that of what it includes.
size_of() { sed -nE 's/^#include "(.*)"$/\1/p' "$1" | grep -c . || true; }
# stderr holds counts of warnings in others' headers; a crash of the tool still fails by its exit code.
for file in "${files[@]}"; do echo "$(size_of "$file") $file"; done | sort -rn | cut -d ' ' -f 2- |
  xargs -P "$(getconf _NPROCESSORS_ONLN)" -d '\n' -n 1 "$tidy" -p build/tidy --quiet 2>/dev/null
echo "tidy: ${#files[@]} sources clean"
