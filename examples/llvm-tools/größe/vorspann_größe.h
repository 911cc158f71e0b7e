#ifndef GROESSE_VORSPANN_H
#define GROESSE_VORSPANN_H

#include "toolkit.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Object/ObjectFile.h"

namespace groesse {

// Bytes of each section of the object file.
llvm::Expected<llvm::StringMap<uint64_t>> sections(llvm::StringRef Path);

// "1.5 KiB" and the like.
std::string äquivalent(uint64_t Bytes);

} // namespace groesse

#endif
