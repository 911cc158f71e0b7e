# Copies LLVM's headers into the source tree and defines
#   llvm_headers   the include directory
#   llvm           llvm_headers and the shared library
find_program(LLVM_CONFIG NAMES llvm-config-22 PATHS /usr/lib/llvm-22/bin REQUIRED)
execute_process(COMMAND ${LLVM_CONFIG} --version OUTPUT_VARIABLE LLVM_VERSION OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${LLVM_CONFIG} --includedir OUTPUT_VARIABLE llvm_includedir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${LLVM_CONFIG} --libdir OUTPUT_VARIABLE llvm_libdir OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)

set(headers ${CMAKE_SOURCE_DIR}/third_party/llvm-include)
set(stamp ${headers}/.copied)
set(have "")
if(EXISTS ${stamp})
  file(READ ${stamp} have)
endif()
if(NOT have STREQUAL LLVM_VERSION)
  message(STATUS "Copying the headers of LLVM ${LLVM_VERSION} to third_party/llvm-include")
  file(REMOVE_RECURSE ${headers})
  foreach(part llvm llvm-c)
    # The package has symlinks at the top; what they point at is what is copied.
    file(REAL_PATH ${llvm_includedir}/${part} from)
    file(COPY ${from}/ DESTINATION ${headers}/${part} NO_SOURCE_PERMISSIONS PATTERN "*.inc" PATTERN "*.h" PATTERN "*.def" PATTERN "*.td" EXCLUDE)
  endforeach()
  file(WRITE ${stamp} ${LLVM_VERSION})
endif()

add_library(llvm_headers INTERFACE)
target_include_directories(llvm_headers INTERFACE ${headers})
target_compile_definitions(llvm_headers INTERFACE __STDC_CONSTANT_MACROS __STDC_FORMAT_MACROS __STDC_LIMIT_MACROS)

find_library(LLVM_LIBRARY NAMES LLVM-22 LLVM PATHS ${llvm_libdir} NO_DEFAULT_PATH REQUIRED)
add_library(llvm INTERFACE)
target_link_libraries(llvm INTERFACE llvm_headers ${LLVM_LIBRARY})
