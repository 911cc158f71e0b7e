# Switches precompiled headers on for an unmodified googletest: give it to CMake as
#   -DCMAKE_PROJECT_googletest-distribution_INCLUDE=<this file>
# Targets of one kind with the same flags share one precompiled header (REUSE_FROM); the first of them owns it.

function(googletest_pch_add dir)
  get_property(targets DIRECTORY ${dir} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(t IN LISTS targets)
    get_target_property(type ${t} TYPE)
    if(NOT type MATCHES "^(STATIC_LIBRARY|SHARED_LIBRARY|EXECUTABLE)$")
      continue()
    endif()
    # cxx_* of googletest sets flags through this property; warnings do not matter to a precompiled header.
    get_target_property(flags ${t} COMPILE_FLAGS)
    get_target_property(definitions ${t} COMPILE_DEFINITIONS)
    string(REGEX REPLACE "-W[^ ]*" "" flags "${flags}")
    string(MD5 key "${dir} ${type} ${flags} ${definitions}")
    get_property(owner GLOBAL PROPERTY googletest_pch_${key})
    if(owner)
      target_precompile_headers(${t} REUSE_FROM ${owner})
      continue()
    endif()
    set_property(GLOBAL PROPERTY googletest_pch_${key} ${t})
    if(type STREQUAL "EXECUTABLE")
      target_precompile_headers(${t} PRIVATE <map> <string> <vector> <gtest/gtest.h>)
    elseif(dir MATCHES "googlemock$")
      target_precompile_headers(${t} PRIVATE <memory> [["gmock/gmock.h"]])
    else()
      target_precompile_headers(${t} PRIVATE <memory> <sstream> ${dir}/include/gtest/gtest.h)
    endif()
  endforeach()
endfunction()

# The targets exist only when the top directory has been read.
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL googletest_pch_add ${CMAKE_SOURCE_DIR}/googletest)
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL googletest_pch_add ${CMAKE_SOURCE_DIR}/googlemock)
