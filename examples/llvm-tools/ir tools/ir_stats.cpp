// ir-stats FILE.ll: how many functions, blocks, loops and instructions of each kind a module holds.
#include "toolkit.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/CommandLine.h"

#include "llvm_tools_version.h"

using namespace llvm;

static cl::opt<std::string> Input(cl::Positional, cl::desc("FILE"), cl::init("-"));

struct Opcode {
  const char *Name;
  const char *Kind;
};

static Opcode opcode(unsigned Number) {
  switch (Number) {
#define OPCODE(NUMBER, NAME, KIND)                                                                                     \
  case NUMBER:                                                                                                         \
    return {#NAME, KIND};
#include "opcode_table.inc"
  default:
    return {"?", "?"};
  }
}

int main(int argc, char **argv) {
  cl::SetVersionPrinter(
      [](raw_ostream &OS) { OS << "ir-stats " LLVM_TOOLS_VERSION ", LLVM " LLVM_TOOLS_LLVM_VERSION "\n"; });
  cl::ParseCommandLineOptions(argc, argv, "IR statistics\n");
  LLVMContext Context;
  auto M = toolkit::readModule(Input, Context);
  if (!M)
    return toolkit::fail("ir-stats", M.takeError());

  toolkit::Table Functions({"function", "blocks", "loops", "instrs"});
  DenseMap<unsigned, uint64_t> Count;
  for (Function &F : **M) {
    if (F.isDeclaration())
      continue;
    DominatorTree DT(F);
    LoopInfo LI(DT);
    Functions.add(F.getName(), {F.size(), LI.getLoopsInPreorder().size(), F.getInstructionCount()});
    for (Instruction &I : instructions(F))
      ++Count[I.getOpcode()];
  }
  Functions.print(outs());

  toolkit::Table Opcodes({"opcode", "count"});
  for (unsigned N = 0; N < Instruction::OtherOpsEnd; ++N) {
    auto It = Count.find(N);
    if (It == Count.end())
      continue;
    Opcode Op = opcode(N);
    Opcodes.add(StringRef(Instruction::getOpcodeName(N)).str() + "  " + Op.Kind, {It->second});
  }
  outs() << '\n';
  Opcodes.print(outs());
  return 0;
}
