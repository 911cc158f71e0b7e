/* triple-info [TRIPLE]: a target triple in its normal form, and a module for it. */
#include "triple_info.h"

#include "llvm-c/TargetMachine.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	char *triple = argc > 1 ? LLVMNormalizeTargetTriple(argv[1]) : LLVMGetDefaultTargetTriple();
	LLVMContextRef context = LLVMContextCreate();
	LLVMModuleRef module = triple_info_module(context, triple);
	char *text = LLVMPrintModuleToString(module);

	printf("%s\n%s", triple, text);
	LLVMDisposeMessage(text);
	LLVMDisposeModule(module);
	LLVMContextDispose(context);
	LLVMDisposeMessage(triple);
	return 0;
}
