# Writes OUT from IN with @SETTINGS@ and @VERSION@ filled in; the settings are what `WAYBILL --settings=man` prints.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${WAYBILL} --settings=man OUTPUT_VARIABLE SETTINGS COMMAND_ERROR_IS_FATAL ANY)
file(READ ${IN} page)
string(REPLACE "@SETTINGS@\n" "${SETTINGS}" page "${page}")
string(REPLACE "@VERSION@" "${VERSION}" page "${page}")
file(WRITE ${OUT} "${page}")
