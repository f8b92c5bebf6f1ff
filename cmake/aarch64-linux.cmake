# Cross-compiling for 64-bit Arm on Debian, run under qemu-user. GPTOSS_ARM64_ROOT holds the arm64 packages
# that tools/check_macos.sh unpacks: headers, libraries and CMake files of the dependencies.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(GPTOSS_ARM64_ROOT "" CACHE PATH "Root of the unpacked arm64 packages")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GPTOSS_ARM64_ROOT)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH "${GPTOSS_ARM64_ROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} "${GPTOSS_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${GPTOSS_ARM64_ROOT}/usr/share/pkgconfig")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${GPTOSS_ARM64_ROOT}/usr/lib/aarch64-linux-gnu")
# -cpu max: every instruction set QEMU knows, so that each NEON variant is run.
set(CMAKE_CROSSCOMPILING_EMULATOR
  "qemu-aarch64-static;-cpu;max;-L;/usr/aarch64-linux-gnu;-E;LD_LIBRARY_PATH=${GPTOSS_ARM64_ROOT}/usr/lib/aarch64-linux-gnu")
