#!/usr/bin/env bash
# clang-format over every C++ file of the project; --fix rewrites.
set -euo pipefail
cd "$(dirname "$0")/.."
format=$(command -v clang-format-19 || command -v clang-format)
mapfile -t files < <(git ls-files -co --exclude-standard '*.cc' '*.h')
if [ "${1-}" = --fix ]; then
  "$format" -i "${files[@]}"
else
  "$format" --dry-run --Werror "${files[@]}" || { echo "format: run 'make format'" >&2; exit 1; }
  echo "format: ${#files[@]} files, all as they should be"
fi
