// const-strings FILE.ll: the string constants of a module.
#include "toolkit.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/LLVMContext.h"

using namespace llvm;

int main(int argc, char **argv) {
  if (argc != 2) {
    errs() << "usage: const-strings FILE\n";
    return 2;
  }
  LLVMContext Context;
  auto M = toolkit::readModule(argv[1], Context);
  if (!M)
    return toolkit::fail("const-strings", M.takeError());

  for (const GlobalVariable &G : (*M)->globals()) {
    const auto *Data = G.hasInitializer() ? dyn_cast<ConstantDataSequential>(G.getInitializer()) : nullptr;
    if (!Data || !Data->isCString())
      continue;
    outs() << G.getName() << ": \"";
    printEscapedString(Data->getAsCString(), outs());
    outs() << "\"\n";
  }
  return 0;
}
