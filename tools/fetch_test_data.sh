#!/usr/bin/env bash
# Makes build/test-data/o200k/tokenizer.json, the real vocabulary of gpt-oss, from the npm package `tiktoken`. Does
# nothing when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/test-data/o200k
[ -s "$out/tokenizer.json" ] && exit 0
mkdir -p "$out"
echo "test data: making the o200k vocabulary from npm's tiktoken 1.0.22" >&2
(cd "$out" && npm pack --silent tiktoken@1.0.22 >/dev/null) || {
  echo "test data: npm could not fetch tiktoken@1.0.22; the tests on the real vocabulary need it once" >&2
  exit 1
}
tar xzf "$out/tiktoken-1.0.22.tgz" -C "$out" package/encoders/o200k_base.json
python3 tools/make_o200k_tokenizer.py "$out/package/encoders/o200k_base.json" "$out/tokenizer.json"
rm -rf "$out/package" "$out/tiktoken-1.0.22.tgz"
