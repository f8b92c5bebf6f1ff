#!/usr/bin/env bash
# clang-tidy (.clang-tidy) over the sources that clang compiles; tests are left to the compilers' own warnings.
set -euo pipefail
cd "$(dirname "$0")/.."
tidy=$(command -v clang-tidy-19 || command -v clang-tidy)
cmake --preset asan -Wno-dev >/dev/null
mapfile -t files < <(git ls-files -co --exclude-standard 'src/*.cc' | grep -vE '_test\.cc$|/macos/|/testing/|neon' |
  while read -r file; do grep -q "\"file\": \".*/$file\"" build/asan/compile_commands.json && echo "$file"; done)
[ ${#files[@]} -gt 0 ] || { echo "tidy: no sources in build/asan/compile_commands.json" >&2; exit 1; }
printf '%s\n' "${files[@]}" | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 4 "$tidy" -p build/asan --quiet 2>/dev/null
echo "tidy: ${#files[@]} files clean"
