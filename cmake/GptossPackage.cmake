# find_package(gptoss): the library under gptoss::provider, with everything below it. Component "development";
# the program is component "gptoss".
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(rooms base platform settings net tokenizer model harmony hub kernels backend engine provider)
set(targets gptoss_demo)
foreach(room IN LISTS rooms)
  list(APPEND targets gptoss_${room})
  set_target_properties(gptoss_${room} PROPERTIES EXPORT_NAME ${room})
  target_include_directories(gptoss_${room} SYSTEM INTERFACE
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR};${CMAKE_INSTALL_INCLUDEDIR}/gptoss>")
  target_compile_features(gptoss_${room} INTERFACE cxx_std_23)
  if(NOT room STREQUAL "kernels")  # they stand in backend
    install(DIRECTORY "src/${room}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/gptoss" COMPONENT development
      FILES_MATCHING PATTERN "*.h" PATTERN testing EXCLUDE)
  endif()
endforeach()
set_target_properties(gptoss_demo PROPERTIES EXPORT_NAME demo)

set(where "${CMAKE_INSTALL_LIBDIR}/cmake/gptoss")
install(TARGETS ${targets} EXPORT gptoss ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}/gptoss" COMPONENT development)
install(EXPORT gptoss NAMESPACE gptoss:: FILE gptoss-targets.cmake DESTINATION "${where}" COMPONENT development)
configure_package_config_file(cmake/gptoss-config.cmake.in "${PROJECT_BINARY_DIR}/gptoss-config.cmake"
  INSTALL_DESTINATION "${where}")
# Before 1.0 any minor version may break what was there.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gptoss-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/gptoss-config.cmake" "${PROJECT_BINARY_DIR}/gptoss-config-version.cmake"
  DESTINATION "${where}" COMPONENT development)
