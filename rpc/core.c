#include "rpc/core.h"

#include "base/log.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>

static void log_line(gpr_log_func_args *args)
{
	wb_log(WB_LOG_DEBUG, "gRPC: %s", args->message);
}

void wb_rpc_core_begin(void)
{
	gpr_set_log_function(log_line);
	gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
	grpc_init();
}
