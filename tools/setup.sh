#!/usr/bin/env bash
# Installs what is missing to build, test or check gptoss: apt on Debian and Ubuntu, Homebrew on macOS.
# usage: tools/setup.sh [--list] build|test|sanitize|lint|cross|bench ...     (several at once; each implies build)
# --list prints Debian's names of the packages and installs nothing.
# Asks for sudo only if something is missing and we are not root; says what it installs.
set -euo pipefail

debian_build=(g++ cmake ninja-build make git ca-certificates libfmt-dev libspdlog-dev nlohmann-json3-dev
  libsimdjson-dev libcli11-dev libssl-dev libcurl4-openssl-dev libtomlplusplus-dev
  libsqlite3-dev)
debian_test=(libgtest-dev python3 python3-venv openssl curl ca-certificates)
debian_sanitize=(clang-19 libclang-rt-19-dev)
debian_lint=(clang-format-19 clang-tidy-19 python3)
debian_cross=(python3 python3-venv g++-aarch64-linux-gnu qemu-user-static)
debian_bench=(libbenchmark-dev)

brew_build=(cmake ninja fmt spdlog nlohmann-json simdjson cli11 openssl@3 curl tomlplusplus sqlite)
brew_test=(googletest python3 node)
brew_sanitize=(llvm)
brew_lint=(llvm)
brew_cross=()
brew_bench=(google-benchmark)

say() { printf 'setup: %s\n' "$*" >&2; }

names() {  # names debian|brew SET...  -> the packages of those sets, one per line
  local system=$1 set list
  shift
  for set in build "$@"; do
    case $set in
      build | test | sanitize | lint | cross | bench) ;;
      *) say "unknown set '$set' (build, test, sanitize, lint, cross, bench)"; exit 2 ;;
    esac
    list="${system}_${set}[@]"
    for name in "${!list-}"; do [ -n "$name" ] && printf '%s\n' "$name"; done
  done | sort -u
}

setup_debian() {
  local missing=() name sudo=()
  while read -r name; do
    case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null || true) in
      "install ok installed") ;;
      *) missing+=("$name") ;;
    esac
  done < <(names debian "$@")
  # npm may come from elsewhere than the distribution: what counts is the command.
  case " $* " in *" test "*) command -v npm >/dev/null || missing+=(npm) ;; esac
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing with apt: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "not root and no sudo here; please install them yourself"; exit 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -qq
  # Quiet on success, everything on failure.
  local log
  log=$(mktemp)
  if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    say "apt could not install: ${missing[*]}"
    exit 1
  fi
  rm -f "$log"
}

setup_macos() {
  command -v brew >/dev/null || { say "Homebrew is needed on macOS: see https://brew.sh, then run this again"; exit 1; }
  xcode-select -p >/dev/null 2>&1 || { say "Apple's command line tools are needed: xcode-select --install"; exit 1; }
  local missing=() name
  while read -r name; do
    brew list --versions "$name" >/dev/null 2>&1 || missing+=("$name")
  done < <(names brew "$@")
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing with brew: ${missing[*]}"
  brew install --quiet "${missing[@]}"
}

if [ "${1-}" = --list ]; then
  shift
  names debian "$@"
  exit 0
fi
case $(uname -s) in
  Darwin) setup_macos "$@" ;;
  Linux)
    if command -v apt-get >/dev/null; then
      setup_debian "$@"
    else
      say "no apt here; needed are the equivalents of: $(names debian "$@" | tr '\n' ' ')"
    fi ;;
  *) say "unknown system $(uname -s): Linux and macOS are supported"; exit 1 ;;
esac
