# Warnings for our own C and C++; generated code is exempt (it links `waybill_generated` instead).
add_library(waybill_warnings INTERFACE)
target_compile_options(waybill_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wvla -Wundef -Wpointer-arith -Wwrite-strings
  $<$<COMPILE_LANGUAGE:C>:-Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition>
  $<$<BOOL:${WAYBILL_WERROR}>:-Werror>)
