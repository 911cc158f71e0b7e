#ifndef NAMES_COMMAND_H
#define NAMES_COMMAND_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

// The number of bytes that every packed table starts with.
#define NAMES_TABLE_HEADER 4

namespace names {

using Words = llvm::ArrayRef<llvm::StringRef>;

// Each verb prints its answer to stdout; the result is the exit code.
int demangleWords(Words Args);
int matchGlob(Words Args);
int packStrings(Words Args);
int explainTriple(Words Args);

} // namespace names

#endif
