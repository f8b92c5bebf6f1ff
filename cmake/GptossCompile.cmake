# Warnings, sanitizers and the three helpers every folder's CMakeLists.txt uses:
#   gptoss_library(NAME SOURCES ... [DEPS ...])      static library gptoss_NAME
#   gptoss_test(NAME SOURCES ... [DEPS ...])         one GoogleTest program NAME_test = one ctest entry
#   gptoss_fuzz(NAME SOURCES ... [DEPS ...])         a libFuzzer target, only with GPTOSS_FUZZ
#   gptoss_bench(NAME SOURCES ... [DEPS ...])        a benchmark program, only with GPTOSS_BENCH

add_library(gptoss_flags INTERFACE)
target_include_directories(gptoss_flags INTERFACE "${PROJECT_SOURCE_DIR}/src")
target_compile_options(gptoss_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused
  -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough
  # Designated initializers name what matters; the rest has defaults.
  -Wno-missing-field-initializers
  -fno-math-errno -fno-trapping-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these two inside the standard library at -O2.
  target_compile_options(gptoss_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # Clang blames us for what libstdc++'s own stable_sort uses. GCC still tells of deprecated functions.
  target_compile_options(gptoss_flags INTERFACE -Wno-deprecated-declarations)
endif()
if(GPTOSS_SANITIZE)
  target_compile_options(gptoss_flags INTERFACE -fsanitize=${GPTOSS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gptoss_flags INTERFACE -fsanitize=${GPTOSS_SANITIZE})
endif()
if(GPTOSS_FUZZ)
  target_compile_options(gptoss_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Where time goes into computing rather than waiting. Everywhere else optimising costs more time than it saves in tests
# and sanitized builds: half of what Clang needs for a source of the command line.
set(GPTOSS_COMPUTES tokenizer harmony model kernels backend engine)
function(gptoss_compile_quickly target name)
  if(NOT name IN_LIST GPTOSS_COMPUTES)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

function(gptoss_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(gptoss_${name} STATIC ${ARG_SOURCES})
  add_library(gptoss::${name} ALIAS gptoss_${name})
  # How we compile is no business of whoever uses the installed library.
  target_link_libraries(gptoss_${name} PUBLIC $<BUILD_INTERFACE:gptoss_flags> ${ARG_DEPS})
  if(GPTOSS_SANITIZE)
    gptoss_compile_quickly(gptoss_${name} ${name})
  endif()
endfunction()

function(gptoss_test name)
  if(NOT GPTOSS_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE gptoss_flags ${ARG_DEPS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name}_test PRIVATE GPTOSS_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    GPTOSS_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gptoss_compile_quickly(${name}_test ${name})
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()

function(gptoss_fuzz name)
  if(NOT GPTOSS_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name}_fuzz ${ARG_SOURCES})
  target_link_libraries(${name}_fuzz PRIVATE gptoss_flags ${ARG_DEPS})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  if(NOT TARGET fuzzers)
    add_custom_target(fuzzers)
  endif()
  add_dependencies(fuzzers ${name}_fuzz)
endfunction()

function(gptoss_bench name)
  if(NOT GPTOSS_BENCH)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name}_bench ${ARG_SOURCES})
  target_link_libraries(${name}_bench PRIVATE gptoss_flags ${ARG_DEPS})
endfunction()
