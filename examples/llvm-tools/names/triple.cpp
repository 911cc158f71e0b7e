#include "names/command.h"

#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"

int names::explainTriple(Words Args) {
  for (llvm::StringRef A : Args) {
    llvm::Triple T(llvm::Triple::normalize(A));
    if (T.getArch() == llvm::Triple::UnknownArch) {
      llvm::errs() << "names: " << A << ": unknown architecture\n";
      return 1;
    }
    llvm::outs() << T.str() << ": "
                 << (T.isArch64Bit()   ? "64-bit"
                     : T.isArch32Bit() ? "32-bit"
                                       : "16-bit")
                 << ' ' << llvm::Triple::getArchTypeName(T.getArch()) << ", " << (T.isLittleEndian() ? "little" : "big")
                 << " endian, " << llvm::Triple::getOSTypeName(T.getOS()) << '\n';
  }
  return 0;
}
