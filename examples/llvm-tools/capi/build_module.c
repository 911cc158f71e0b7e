#include "triple_info.h"

LLVMModuleRef triple_info_module(LLVMContextRef context, const char *triple)
{
	LLVMModuleRef module = LLVMModuleCreateWithNameInContext("answer", context);
	LLVMTypeRef i32 = LLVMInt32TypeInContext(context);
	LLVMValueRef function = LLVMAddFunction(module, "answer", LLVMFunctionType(i32, NULL, 0, 0));
	LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);

	LLVMSetTarget(module, triple);
	LLVMPositionBuilderAtEnd(builder, LLVMAppendBasicBlockInContext(context, function, "entry"));
	LLVMBuildRet(builder, LLVMConstInt(i32, TRIPLE_INFO_ANSWER, 0));
	LLVMDisposeBuilder(builder);
	return module;
}
