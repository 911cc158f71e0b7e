#include "names/command.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/MC/StringTableBuilder.h"
#include "llvm/Support/raw_ostream.h"

// An ELF string table: suffixes are shared.
int names::packStrings(Words Args) {
  llvm::StringTableBuilder Builder(llvm::StringTableBuilder::ELF);
  llvm::StringSet<> Seen;
  for (llvm::StringRef A : Args)
    if (Seen.insert(A).second)
      Builder.add(A);
  Builder.finalize();
  for (llvm::StringRef A : Args)
    llvm::outs() << A << " at " << Builder.getOffset(A) - 1 << '\n';
  llvm::outs() << Builder.getSize() - 4 + NAMES_TABLE_HEADER << " bytes\n";
  return 0;
}
