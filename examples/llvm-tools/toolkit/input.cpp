#include "toolkit.h"

#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

Expected<std::unique_ptr<Module>> toolkit::readModule(StringRef Path, LLVMContext &Context) {
  SMDiagnostic Problem;
  std::unique_ptr<Module> M = parseIRFile(Path, Problem, Context);
  if (M)
    return std::move(M);
  std::string Text;
  raw_string_ostream OS(Text);
  Problem.print(nullptr, OS, /*ShowColors=*/false);
  return createStringError(inconvertibleErrorCode(), Text);
}

int toolkit::fail(StringRef Tool, Error E) {
  logAllUnhandledErrors(std::move(E), errs(), (Tool + ": ").str());
  return 1;
}
