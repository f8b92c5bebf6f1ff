# Installs the library below BUILD, builds SOURCE with find_package(gptoss) and asks the program something.
set(place "${BUILD}/package_test")
file(REMOVE_RECURSE "${place}")

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${what} failed (${code}):\n${out}")
  endif()
endfunction()

run("installing" "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${place}/installed" --component development)
run("configuring" "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${place}/build" "-DCMAKE_PREFIX_PATH=${place}/installed"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_BUILD_TYPE=${TYPE}" "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
  "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wno-missing-field-initializers -Werror")
run("building" "${CMAKE_COMMAND}" --build "${place}/build")
execute_process(COMMAND "${place}/build/agent" "Who are you?" RESULT_VARIABLE code OUTPUT_VARIABLE answer ERROR_VARIABLE said)
if(NOT code EQUAL 0 OR NOT answer MATCHES "[a-z]" OR NOT said MATCHES "model: ready" OR NOT said MATCHES "ended by answer")
  message(FATAL_ERROR "the example (${code}) answered '${answer}' and said:\n${said}")
endif()
file(GLOB_RECURSE testing "${place}/installed/*testing*")
if(testing)
  message(FATAL_ERROR "headers of tests were installed: ${testing}")
endif()
message(STATUS "${answer}")
file(REMOVE_RECURSE "${place}")
