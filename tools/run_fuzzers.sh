#!/usr/bin/env bash
# usage: tools/run_fuzzers.sh BUILD_FOLDER SECONDS      runs every *_fuzz program for that long
set -euo pipefail
folder=$1 seconds=$2
found=0
for program in "$folder"/*_fuzz; do
  [ -x "$program" ] || continue
  found=$((found + 1))
  name=$(basename "$program")
  corpus="$folder/corpus/$name"
  mkdir -p "$corpus"
  seeds="$(dirname "$0")/../tests/fuzz/seeds/$name"
  extra=()
  [ -d "$seeds" ] && extra=("$seeds")
  echo "fuzz: $name for $seconds s"
  "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$folder/$name-" "$corpus" "${extra[@]}" 2>"$folder/$name.log" ||
    { tail -40 "$folder/$name.log"; echo "fuzz: $name found something; its input is $folder/$name-*" >&2; exit 1; }
  grep -E 'stat::number_of_executed_units|stat::peak_rss_mb' "$folder/$name.log"
done
[ "$found" -gt 0 ] || { echo "fuzz: no fuzz program in $folder" >&2; exit 1; }
echo "fuzz: $found targets, nothing found"
