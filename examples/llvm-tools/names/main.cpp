// names VERB WORD...: small questions about names.
#include "names/command.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/raw_ostream.h"

int main(int argc, char **argv) {
  llvm::SmallVector<llvm::StringRef, 8> Args(argv + 1, argv + argc);
  if (Args.size() < 2) {
    llvm::errs() << "usage: names demangle|glob|pack|triple WORD...\n";
    return 2;
  }
  using Verb = int (*)(names::Words);
  Verb Run = llvm::StringSwitch<Verb>(Args.front())
                 .Case("demangle", names::demangleWords)
                 .Case("glob", names::matchGlob)
                 .Case("pack", names::packStrings)
                 .Case("triple", names::explainTriple)
                 .Default(nullptr);
  if (!Run) {
    llvm::errs() << "names: unknown verb " << Args.front() << '\n';
    return 2;
  }
  return Run(names::Words(Args).drop_front());
}
