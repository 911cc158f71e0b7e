#ifndef TRIPLE_INFO_H
#define TRIPLE_INFO_H

#include "llvm-c/Core.h"

/* What the function in the printed module returns. */
#define TRIPLE_INFO_ANSWER 42

/* A module for `triple` with one small function. The caller disposes of it. */
LLVMModuleRef triple_info_module(LLVMContextRef context, const char *triple);

#endif
