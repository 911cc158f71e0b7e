#include "names/command.h"

#include "llvm/Demangle/Demangle.h"
#include "llvm/Support/raw_ostream.h"

int names::demangleWords(Words Args) {
  for (llvm::StringRef A : Args)
    llvm::outs() << llvm::demangle(std::string_view(A.data(), A.size())) << '\n';
  return 0;
}
