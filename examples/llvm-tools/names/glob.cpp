#include "names/command.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/raw_ostream.h"

int names::matchGlob(Words Args) {
  auto Pattern = llvm::GlobPattern::create(Args.front());
  if (!Pattern) {
    llvm::logAllUnhandledErrors(Pattern.takeError(), llvm::errs(), "names: ");
    return 1;
  }
  for (llvm::StringRef A : Args.drop_front())
    llvm::outs() << (Pattern->match(A) ? "yes  " : "no   ") << A << '\n';
  return 0;
}
