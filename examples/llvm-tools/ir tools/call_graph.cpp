// call-graph FILE.ll: who calls whom, and which functions call each other in a circle.
#include "toolkit.h"

#include "llvm/ADT/SCCIterator.h"
#include "llvm/Analysis/CallGraph.h"
#include "llvm/IR/LLVMContext.h"

using namespace llvm;

static StringRef nameOf(const CallGraphNode *N) {
  return N->getFunction() ? N->getFunction()->getName() : StringRef("(outside)");
}

int main(int argc, char **argv) {
  if (argc != 2) {
    errs() << "usage: call-graph FILE\n";
    return 2;
  }
  LLVMContext Context;
  auto M = toolkit::readModule(argv[1], Context);
  if (!M)
    return toolkit::fail("call-graph", M.takeError());

  CallGraph Graph(**M);
  for (Function &F : **M)
    for (const CallGraphNode::CallRecord &Call : *Graph[&F])
      if (Call.first)
        outs() << F.getName() << " -> " << nameOf(Call.second) << '\n';

  for (auto It = scc_begin(&Graph); !It.isAtEnd(); ++It)
    if (It.hasCycle()) {
      outs() << "recursive:";
      for (const CallGraphNode *N : *It)
        outs() << ' ' << nameOf(N);
      outs() << '\n';
    }
  return 0;
}
