#!/usr/bin/env bash
# clang-tidy (.clang-tidy) over the sources that clang compiles; tests are left to the compilers' own warnings.
# usage: tools/check_tidy.sh [FILE...]      without files: all of src/
set -euo pipefail
cd "$(dirname "$0")/.."
tidy=$(command -v clang-tidy-19 || command -v clang-tidy)
cmake --preset asan -Wno-dev >/dev/null
[ $# -gt 0 ] || mapfile -t sources < <(git ls-files -co --exclude-standard 'src/*.cc')
# Only what this system builds; big files first, so that no worker ends with the biggest alone.
mapfile -t files < <(wc -c "${@:-${sources[@]}}" | sort -rn | awk '$2 != "total" {print $2}' |
  grep -vE '_test\.cc$|/macos/|/testing/|neon' |
  while read -r file; do grep -q "\"file\": \".*/$file\"" build/asan/compile_commands.json && echo "$file"; done)
[ ${#files[@]} -gt 0 ] || { echo "tidy: no such source in build/asan/compile_commands.json" >&2; exit 1; }
# stderr holds counts of warnings in others' headers; a crash of the tool still fails by its exit code.
printf '%s\n' "${files[@]}" | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 1 "$tidy" -p build/asan --quiet 2>/dev/null
echo "tidy: ${#files[@]} files clean"
