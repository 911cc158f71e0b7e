# The build id names this build's socket: a client talks only to the daemon it was built with. It is a hash over every
# source file, so two builds of the same sources agree and any change of the wire or the daemon gives a new one.
file(GLOB WAYBILL_ID_SOURCES CONFIGURE_DEPENDS
  base/*.[ch] wire/*.[ch] rpc/*.[ch] reapi/*.[ch] scanner/*.[ch] scanner/directives/*.[ch] scanner/clang/*.cpp scanner/clang/*.h pchfix/*.[ch] service/*.[ch] proto/*.proto cli/*.[ch])
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/buildid.h
  COMMAND ${CMAKE_COMMAND} -D "OUT=${CMAKE_BINARY_DIR}/generated/buildid.h" -D "SRC=${CMAKE_SOURCE_DIR}"
          -D "VERSION=${PROJECT_VERSION}" -D "SANITIZE=${WAYBILL_SANITIZE}" -P ${CMAKE_SOURCE_DIR}/cmake/make_buildid.cmake
  DEPENDS ${WAYBILL_ID_SOURCES} ${CMAKE_SOURCE_DIR}/cmake/make_buildid.cmake
  VERBATIM)
add_custom_target(waybill_buildid DEPENDS ${CMAKE_BINARY_DIR}/generated/buildid.h)
