#!/bin/sh
# Fetches what the tests need and the repository does not hold: the o200k vocabulary, from the npm package
# `tiktoken`, as build/test-data/o200k/tokenizer.json. Does nothing when that is there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
out="$root/build/test-data/o200k"
package=tiktoken@1.0.22

if [ -f "$out/tokenizer.json" ]; then
  echo "test data: $out/tokenizer.json is there"
  exit 0
fi
for tool in npm python3 tar; do
  command -v "$tool" >/dev/null || { echo "test data: needs $tool, which is not installed" >&2; exit 1; }
done

mkdir -p "$out"
work=$(mktemp -d "$out/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "test data: fetching $package from the npm registry"
if ! (cd "$work" && npm pack --silent "$package" >npm.log 2>&1); then
  cat "$work/npm.log" >&2
  echo "test data: could not fetch $package from the npm registry; connect to the internet and run tools/fetch_test_data.sh again" >&2
  exit 1
fi
tar -xzf "$work"/tiktoken-*.tgz -C "$work" package/encoders/o200k_base.json
echo "test data: writing $out/tokenizer.json"
python3 "$root/tools/make_o200k_tokenizer.py" "$work/package/encoders/o200k_base.json" "$out/tokenizer.json"
