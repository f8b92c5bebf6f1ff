#!/usr/bin/env bash
# Two checks that stand in for machines we do not have, run on Debian:
#  1. every source and test, a room at a time, compiles for Apple silicon with the libc++ and Apple's system headers that
#     zig carries (PyPI's `ziglang`), and what needs no third-party library is made and linked by zig;
#  2. the kernel and tokenizer tests (and what they stand on) run for arm64 Linux under qemu-user: NEON for real.
# Both run at the same time. What is made stays in build/check-macos: a second run compiles only what changed.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -s)" = Linux ] || { echo "check-macos: on macOS 'make test' itself is the check" >&2; exit 0; }

work=build/check-macos
root=$PWD/$work
jobs=$(getconf _NPROCESSORS_ONLN)
zig_version=0.16.0
target=(-target aarch64-macos.13.0 -mcpu=apple_m1)
mkdir -p "$work/objects"
# The development packages that setup.sh installs: their headers serve here, their arm64 builds below.
mapfile -t dev_packages < <(tools/setup.sh --list build test | grep -E -- '-dev$')

fetch_zig() {
  if ! "$work/venv/bin/python3" -c 'import ziglang' 2>/dev/null; then
    echo "check-macos: fetching zig $zig_version (PyPI: ziglang)"
    python3 -m venv --clear "$work/venv"
    "$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check "ziglang==$zig_version"
  fi
}

# Third-party headers, staged by package: /usr/include itself would bring glibc's headers along.
stage_headers() {
  local stage=$work/include list file multiarch
  multiarch=$(gcc -print-multiarch)
  list=$(dpkg-query -W -f '${Package} ${Version}\n' "${dev_packages[@]}")
  [ "$(cat "$stage/.packages" 2>/dev/null)" = "$list" ] && return 0
  rm -rf "$stage"
  mkdir -p "$stage"
  dpkg -L "${dev_packages[@]}" | grep '^/usr/include/' | sort -u | while read -r file; do
    [ -f "$file" ] || continue
    name=${file#/usr/include/}
    install -D -m 644 "$file" "$stage/${name#"$multiarch"/}"
  done
  printf '%s' "$list" >"$stage/.packages"
}

# -O0 and no debug information: nothing of this runs.
flags=(-std=c++23 -O0 -g0 -fno-sanitize=undefined -Isrc -Itools -isystem "$work/include" -Wall -Wextra -Werror
  -Wno-nullability-completeness -Wno-missing-field-initializers -Wno-missing-designated-field-initializers
  -DFMT_HEADER_ONLY -DSPDLOG_FMT_EXTERNAL -DGPTOSS_SOURCE_DIR="\"$PWD\"" -DGPTOSS_BINARY_DIR="\"$root\""
  -DGPTOSS_VERSION='"0.0.0"' -DGPTOSS_COMMIT='""')
# A room of the build, all its sources in one, as the compiler gets it elsewhere too (CMAKE_UNITY_BUILD), without what is
# only for another system or another CPU. One source per target, named after it.
not_here='/linux/|avx|amx|vnni|^tests/fuzz/|^tools/demo_model/'
make_rooms() {
  local room name sources
  cmake --preset asan -B "$work/rooms" -DCMAKE_UNITY_BUILD=ON -Wno-dev >"$work/rooms.log" 2>&1 ||
    { cat "$work/rooms.log"; return 1; }
  mkdir -p "$work/sources"
  find "$work/rooms" -name 'unity_*.cxx' | while read -r room; do
    name=${room%.dir/*}
    sources=$(sed -nE "s|^#include \"$PWD/(.*)\"\$|#include \"../../../\1\"|p" "$room" | grep -vE "$not_here" || true)
    # Only what changed is written, so that only that is compiled again.
    [ "$sources" = "$(cat "$work/sources/${name##*/}.cc" 2>/dev/null)" ] ||
      printf '%s\n' "$sources" >"$work/sources/${name##*/}.cc"
  done
}

# What is linked is compiled by zig. The rest is only read, by Clang with the includes and definitions that zig would
# give it: that takes half the time, and zig itself cannot (it misses the object then).
linked='/sources/gptoss_(base|platform|kernels)\.cc$|^src/(platform/|backend/cpu/kernels)'
clang_flags_of_zig() {
  local builtin options
  builtin=$(clang++-19 -print-resource-dir)/include
  # `zig c++ -v` says how it calls Clang, unless it finds the object in its cache; the date keeps it from that.
  date +"// %s.%N" >"$work/empty.cc"
  options=$("${zig[@]}" c++ "${target[@]}" -v -c "$work/empty.cc" -o "$work/empty.o" 2>&1 | grep -e ' -cc1 ')
  mapfile -t headers < <(tr ' ' '\n' <<<"$options" | sed -nE "/^-isystem\$/{n;s|.*/ziglang/lib/include\$|$builtin|;s|^|-isystem|;p}")
  mapfile -t definitions < <(tr ' ' '\n' <<<"$options" | sed -n '/^-D$/{n;s|^|-D|;p}')
  reader=(clang++-19 --target=arm64-apple-macos13.0 -mcpu=apple-m1 -fsyntax-only -nostdinc "${headers[@]}" "${definitions[@]}")
}

compile_one() {
  local source=$1 object newest
  object="$work/objects/${1//\//__}.o"
  newest=$( { echo "$source"; sed -nE 's|^#include "\.\./\.\./\.\./(.*)"$|\1|p' "$source"; } | xargs ls -t | sed -n 1p)
  if [ -e "$object" ] && [ "$object" -nt "$work/newest_header" ] && [ "$object" -nt "$newest" ]; then return 0; fi
  local compile=("${reader[@]}" "${flags[@]}" "$source")
  if [[ $source =~ $linked ]]; then compile=("${zig[@]}" c++ "${target[@]}" "${flags[@]}" -c "$source" -o "$object.new"); fi
  "${compile[@]}" 2>"$object.log" ||
    { cat "$object.log"; echo "check-macos: $source does not compile for macOS" >&2; return 1; }
  touch "$object.new"
  mv "$object.new" "$object"
}

compile_for_macos() {
  fetch_zig
  stage_headers
  zig=("$root/venv/bin/python3" -m ziglang)
  export ZIG_GLOBAL_CACHE_DIR="$root/zig-cache" ZIG_LOCAL_CACHE_DIR="$root/zig-cache"
  clang_flags_of_zig
  make_rooms
  # What stands in no room here, the macOS sides above all, is compiled alone.
  mapfile -t all < <(git ls-files -co --exclude-standard 'src/*.cc' 'tests/*.cc' 'tools/*.cc' | grep -vE "$not_here")
  mapfile -t sources < <(printf '%s\n' "${all[@]}" | grep -vxF -f <(cat "$work"/sources/*.cc |
    sed -E 's|^#include "\.\./\.\./\.\./(.*)"$|\1|'); ls "$work"/sources/*.cc)
  # Not `ls -t | head`: with so many files ls dies of the closed pipe.
  touch -r "$(git ls-files -co --exclude-standard 'src/*.h' 'tests/*.h' tools/check_macos.sh | xargs stat -c '%Y %n' |
    sort -n | tail -n 1 | cut -d ' ' -f 2-)" "$work/newest_header"
  # Functions and arrays do not pass through xargs: a child shell gets their definitions. Big files first.
  local definitions
  definitions=$(declare -p zig target reader flags linked work; declare -f compile_one)
  # Rooms first, then the rest by size.
  wc -l "${sources[@]}" | sed '$d' | awk '{print ($2 ~ /\/sources\//), $1, $2}' | sort -k 1,1rn -k 2,2rn | awk '{print $3}' |
    xargs -P "$jobs" -I{} bash -c "$definitions"'; set -euo pipefail; compile_one "$1"' _ {}
  echo "check-macos: ${#all[@]} sources compile for macOS on Apple silicon"

  # Link what stands on the system alone (fmt and JSON are used header-only here).
  cat >"$work/link_probe.cc" <<'PROBE'
#include "backend/cpu/kernels.h"
#include "backend/cpu/thread_pool.h"
#include "base/file.h"
#include "platform/cpu_features.h"
#include "platform/system.h"
int main() {
  const gptoss::MemoryInfo memory = gptoss::SystemMemory();
  gptoss::ThreadPool pool(2);
  pool.ParallelFor(4, 1, [](std::int64_t, std::int64_t, int) {});
  return gptoss::ReadFile("/dev/null").has_value() || memory.total == 0 || gptoss::UsableKernels().empty() ? 1 : 0;
}
PROBE
  local objects
  "${zig[@]}" c++ "${target[@]}" "${flags[@]}" -c "$work/link_probe.cc" -o "$work/link_probe.o"
  mapfile -t objects < <(ls "$work/objects/"*.o | grep -E '__gptoss_(base|platform|kernels)\.cc|src__(platform|backend__cpu__kernels)' |
    grep -vE '_test\.cc\.o$|__testing__')
  # zig builds Apple's libc++ for this, and tells of its warnings.
  "${zig[@]}" c++ "${target[@]}" -o "$work/probe" "${objects[@]}" "$work/link_probe.o" >"$work/link.log" 2>&1 ||
    { cat "$work/link.log"; echo "check-macos: the probe does not link for macOS" >&2; return 1; }
  [ "$(head -c4 "$work/probe" | od -An -tx1 | tr -d ' ')" = cffaedfe ] ||
    { echo "check-macos: the linked probe is no Mach-O program" >&2; return 1; }
  echo "check-macos: base, platform and the kernels link to an arm64 Mach-O program"
}

# The arm64 builds of the packages, and the libraries that they name, are fetched beside the system's own lists
# and unpacked, not installed.
fetch_arm64_packages() {
  local arm=$1 wanted options
  wanted="${dev_packages[*]}"
  [ "$(cat "$arm/.packages" 2>/dev/null)" = "$wanted" ] && return 0
  echo "check-macos: fetching the arm64 builds of: $wanted"
  rm -rf "$arm"
  mkdir -p "$arm/lists/partial" "$arm/debs" "$arm/root"
  # Nothing is written to the system's own caches, and the index of one architecture and no contents is enough.
  options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State::Lists=$arm/lists"
    -o "Dir::Cache=$arm" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${options[@]}" update
  mapfile -t runtime < <(apt-cache "${options[@]}" depends --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances "${dev_packages[@]}" |
    sed -nE 's/^ +\|?Depends: (lib[^<>]*)$/\1/p' | grep -vE '^lib(c6?|c-dev|c6-dev|stdc\+\+.*|gcc-s1)$' | sort -u)
  (cd "$arm/debs" && apt-get "${options[@]}" download "${dev_packages[@]}" "${runtime[@]}")
  for package in "$arm"/debs/*.deb; do dpkg -x "$package" "$arm/root"; done
  printf '%s' "$wanted" >"$arm/.packages"
}

test_arm64() {
  fetch_arm64_packages "$root/arm64"
  cmake -S . -B "$work/arm64-build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux.cmake" \
    -DGPTOSS_ARM64_ROOT="$root/arm64/root" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 -Wno-dev \
    >"$work/arm64-configure.log" 2>&1 || { cat "$work/arm64-configure.log"; return 1; }
  local tests=(platform kernels thread_pool tokenizer)
  cmake --build "$work/arm64-build" -j "$jobs" --target "${tests[@]/%/_test}" >"$work/arm64-build.log" 2>&1 ||
    { cat "$work/arm64-build.log"; return 1; }
  # qemu-user runs vfork as fork, so posix_spawn cannot tell there that a program does not exist. Every Unicode scalar
  # takes 40 s there, and the golden cases pass through the same code. qemu-user knows no PR_SET_CHILD_SUBREAPER.
  local skipped=ChildProcess.NamesWhatItCannotStart:Orphans.*:O200k.EveryUnicodeScalarInSixContexts
  (cd "$work/arm64-build" && GTEST_FILTER="-$skipped" ctest --output-on-failure -j "$jobs" -R "^($(IFS='|'; echo "${tests[*]}"))\$")
  echo "check-macos: the tests ${tests[*]} ran for arm64 under qemu (NEON executed)"
}

# A child's failure must not be lost, and its words must not mix with the other's.
(set -e; test_arm64) >"$work/arm64.log" 2>&1 &
arm64=$!
trap 'kill "$arm64" 2>/dev/null || true' EXIT
(set -e; compile_for_macos)
status=0
wait "$arm64" || status=$?
trap - EXIT
cat "$work/arm64.log"
exit "$status"
