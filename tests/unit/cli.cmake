# Tests of wire/ and cli/, and of what the daemon does for verbs alone.
waybill_unit_test(frame SOURCES test_frame.c LIBS waybill_wire)

# With little patience: a full backlog is waited for.
waybill_unit_test(socket SOURCES test_socket.c ${WAYBILL_SOURCE_ROOT}/wire/socket.c LIBS waybill_base)
target_compile_definitions(test_socket PRIVATE WB_SOCKET_SEND_MS=300)
add_dependencies(test_socket waybill_buildid)

# The client as a process, with little patience, and a daemon that only pretends.
get_target_property(client_sources waybill SOURCES)
list(TRANSFORM client_sources PREPEND ${WAYBILL_SOURCE_ROOT}/cli/)
add_executable(waybill_test_client ${client_sources})
target_compile_definitions(waybill_test_client PRIVATE WB_FRAME_SILENCE_MS=1500 WB_START_MS=4000)
target_link_libraries(waybill_test_client PRIVATE waybill_warnings waybill_wire waybill_proto waybill_base)
add_dependencies(waybill_test_client waybill_buildid)
add_executable(fake_daemon fake_daemon.c)
target_link_libraries(fake_daemon PRIVATE waybill_warnings waybill_wire waybill_proto waybill_base)
waybill_unit_test(launcher SOURCES test_launcher.c LIBS waybill_base)
add_dependencies(test_launcher waybill_buildid waybill_test_client fake_daemon)
target_compile_definitions(test_launcher PRIVATE WB_TEST_CLIENT="$<TARGET_FILE:waybill_test_client>"
                                                 WB_TEST_DAEMON="$<TARGET_FILE:fake_daemon>")

waybill_unit_test(scan_options SOURCES test_scan_options.c LIBS waybill_service)
waybill_unit_test(scan_names SOURCES test_scan_names.c LIBS waybill_service)
waybill_unit_test(include_chain SOURCES test_include_chain.c LIBS waybill_service)
