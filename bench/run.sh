#!/usr/bin/env bash
# What `make bench` runs. usage: bench/run.sh BUILD_FOLDER
# GPTOSS_MODEL=PATH measures that checkpoint; without it a synthetic one of four layers of gpt-oss-20b is made.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: bench/run.sh BUILD_FOLDER}
model=${GPTOSS_MODEL-}
if [ -z "$model" ]; then
  model=$build/synthetic-4-layers
  [ -e "$model/config.json" ] || { rm -rf "$model"; "$build/make_synthetic" --layout mlx --layers 4 --out "$model"; }
fi
for program in "$build"/*_bench; do
  echo "== $(basename "$program")"
  case $program in
    */model_bench) "$program" -m "$model" ;;
    *) "$program" ;;
  esac
done
