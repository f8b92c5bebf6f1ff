#!/usr/bin/env bash
# Two checks that stand in for machines we do not have, run on Debian:
#  1. every source and test compiles for Apple silicon with zig (PyPI's `ziglang`, which carries Apple's libc++
#     and system headers), and what needs no third-party library is linked;
#  2. the kernel and tokenizer tests (and what they stand on) run for arm64 Linux under qemu-user: NEON for real.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -s)" = Linux ] || { echo "check-macos: on macOS 'make test' itself is the check" >&2; exit 0; }

work=build/check-macos
root=$PWD/$work
jobs=$(getconf _NPROCESSORS_ONLN)
zig_version=0.16.0
target=(-target aarch64-macos.13.0 -mcpu=apple_m1)
mkdir -p "$work/objects"

# The compiler.
if ! [ -x "$work/venv/bin/python3" ] || ! "$work/venv/bin/python3" -c 'import ziglang' 2>/dev/null; then
  echo "check-macos: fetching zig $zig_version (PyPI: ziglang)"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q --disable-pip-version-check "ziglang==$zig_version"
fi
zig=("$root/venv/bin/python3" -m ziglang)
export ZIG_GLOBAL_CACHE_DIR="$root/zig-cache" ZIG_LOCAL_CACHE_DIR="$root/zig-cache"

# Third-party headers, staged: /usr/include itself would bring glibc's headers along.
stage=$work/include
if ! [ -e "$stage/.complete" ]; then
  rm -rf "$stage"
  mkdir -p "$stage"
  for name in nlohmann CLI spdlog fmt openssl gtest simdjson.h toml++; do
    cp -r "/usr/include/$name" "$stage/"
  done
  cp -r "/usr/include/$(gcc -print-multiarch)/curl" "$stage/"
  arch_headers=/usr/include/$(gcc -print-multiarch)/openssl
  [ -d "$arch_headers" ] && cp -r "$arch_headers/." "$stage/openssl/"
  touch "$stage/.complete"
fi

flags=(-std=c++23 -O1 -Isrc -isystem "$stage" -Wall -Wextra -Werror -Wno-nullability-completeness
  -DFMT_HEADER_ONLY -DSPDLOG_FMT_EXTERNAL -DGPTOSS_SOURCE_DIR="\"$PWD\"" -DGPTOSS_BINARY_DIR="\"$root\""
  -DGPTOSS_VERSION='"0.0.0"' -DGPTOSS_COMMIT='""')

# 1. Compile. Sources only for another system or another CPU are left out by name.
mapfile -t sources < <(git ls-files -co --exclude-standard 'src/*.cc' 'tests/*.cc' 'tools/*.cc' |
  grep -vE '/linux/|avx|amx|vnni|^tests/fuzz/')
compile_one() {
  source=$1
  object="$work/objects/${source//\//__}.o"
  if [ -e "$object" ] && [ "$object" -nt "$work/newest_header" ] && [ "$object" -nt "$source" ]; then exit 0; fi
  extra=()
  case $source in *neon_dotprod*) extra=(-mcpu=apple_m1) ;; esac
  "${zig[@]}" c++ "${target[@]}" "${flags[@]}" "${extra[@]}" -c "$source" -o "$object" 2>"$object.log" ||
    { cat "$object.log"; echo "check-macos: $source does not compile for macOS" >&2; exit 255; }
}
newest=$(git ls-files -co --exclude-standard 'src/*.h' 'tests/*.h' | xargs ls -t | head -1)
touch -r "$newest" "$work/newest_header"
# Functions and arrays do not pass through xargs: a child shell gets their definitions.
definitions=$(declare -p zig target flags work; declare -f compile_one)
printf '%s\n' "${sources[@]}" |
  xargs -P "$jobs" -I{} bash -c "$definitions"'; set -euo pipefail; compile_one "$1"' _ {}
echo "check-macos: ${#sources[@]} sources compile for macOS on Apple silicon"

# 1b. Link what stands on the system alone (fmt, JSON and CLI11 are used header-only here).
link_one() {  # link_one NAME OBJECT-PATTERN
  local objects
  mapfile -t objects < <(ls "$work/objects/"*.o | grep -E "$2" | grep -vE '_test\.cc\.o$|__testing__')
  "${zig[@]}" c++ "${target[@]}" -o "$work/$1" "${objects[@]}" "$work/link_probe.o"
  file "$work/$1" 2>/dev/null | grep -q 'Mach-O 64-bit' || [ "$(head -c4 "$work/$1" | od -An -tx1 | tr -d ' ')" = cffaedfe ] ||
    { echo "check-macos: $1 is no Mach-O program" >&2; exit 1; }
}
cat >"$work/link_probe.cc" <<'PROBE'
#include "backend/cpu/kernels.h"
#include "backend/cpu/thread_pool.h"
#include "base/file.h"
#include "platform/cpu_features.h"
#include "platform/system.h"
int main() {
  const gptoss::MemoryInfo memory = gptoss::SystemMemory();
  return gptoss::ReadFile("/dev/null").has_value() || memory.total == 0 || gptoss::ThisCpu().avx2 ? 1 : 0;
}
PROBE
"${zig[@]}" c++ "${target[@]}" "${flags[@]}" -c "$work/link_probe.cc" -o "$work/link_probe.o"
link_one probe 'src__(base|platform)__'
echo "check-macos: base and platform link to an arm64 Mach-O program"

# 2. arm64 Linux under qemu. The packages are fetched beside the system's own lists and unpacked, not installed.
arm=$root/arm64
packages=(libsimdjson-dev libsimdjson14 libfmt-dev libfmt9 libspdlog-dev libspdlog1.10 libgtest-dev
  libssl-dev libssl3 libcurl4-openssl-dev libcurl4 nlohmann-json3-dev libcli11-dev libtomlplusplus-dev)
if ! [ -e "$arm/.complete" ]; then
  echo "check-macos: fetching ${#packages[@]} arm64 packages"
  rm -rf "$arm"
  mkdir -p "$arm/lists/partial" "$arm/debs" "$arm/root"
  options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State::Lists=$arm/lists"
    -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$arm/debs" && apt-get "${options[@]}" download "${packages[@]}")
  for package in "$arm"/debs/*.deb; do dpkg -x "$package" "$arm/root"; done
  touch "$arm/.complete"
fi
cmake -S . -B "$work/arm64-build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux.cmake" \
  -DGPTOSS_ARM64_ROOT="$arm/root" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 -Wno-dev \
  >"$work/arm64-configure.log" 2>&1 || { cat "$work/arm64-configure.log"; exit 1; }
tests=(platform kernels thread_pool tokenizer)
available=$(cmake --build "$work/arm64-build" --target help)
wanted=()
for name in "${tests[@]}"; do
  grep -q "^${name}_test:" <<<"$available" && wanted+=("${name}_test")
done
cmake --build "$work/arm64-build" -j "$jobs" --target "${wanted[@]}"
pattern=$(printf '%s|' "${wanted[@]%_test}")
(cd "$work/arm64-build" && ctest --output-on-failure -R "^(${pattern%|})\$")
echo "check-macos: ${wanted[*]} ran for arm64 under qemu (NEON executed)"
