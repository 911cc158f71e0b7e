/* The Execution service of reapi_peer.h: it runs nothing, and answers with one result, or as its lie says. */
#include "proto/longrunning.pb-c.h"
#include "tests/unit/reapi_peer_state.h"

#include <string.h>
#include <unistd.h>

/* An Operation; done with a response when `response` is not NULL. */
static void send_operation(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call, int stage,
			   const RE(ExecuteResponse) * response)
{
	static char metadata_type[] = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteOperationMetadata";
	static char response_type[] = "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse";
	static char name[] = "operations/1";
	Google__Longrunning__Operation op;
	Google__Protobuf__Any metadata, any;
	RE(ExecuteOperationMetadata) m;
	google__longrunning__operation__init(&op);
	google__protobuf__any__init(&metadata);
	google__protobuf__any__init(&any);
	INIT(execute_operation_metadata, &m);
	m.stage = (RE(ExecutionStage__Value))stage;
	metadata.type_url = metadata_type;
	wb_message_pack((char **)&metadata.value.data, &metadata.value.len, a, &m.base);
	op.name = name;
	op.metadata = &metadata;
	if (response != NULL) {
		op.done = 1;
		op.result_case = GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE;
		any.type_url = response_type;
		wb_message_pack((char **)&any.value.data, &any.value.len, a, &response->base);
		op.response = &any;
	}
	reapi_peer_reply(st, call, &op.base);
}

static void send_result(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call, enum reapi_lie lie)
{
	RE(ExecuteResponse) r;
	wb_re_action_result result;
	wb_re_output_file file, *files[] = {&file};
	Google__Rpc__Status status;
	struct wb_digest d;
	static char outside[] = "../x", inside[] = "x.o", text[] = "said";
	INIT(execute_response, &r);
	INIT(action_result, &result);
	INIT(output_file, &file);
	google__rpc__status__init(&status);
	wb_digest_of(&d, "object", 6);
	file.path = lie == EXECUTE_OUTSIDE ? outside : inside;
	file.digest = wb_re_digest_new(a, &d);
	result.output_files = files;
	result.n_output_files = 1;
	result.stdout_raw = (ProtobufCBinaryData){.data = (uint8_t *)text, .len = 4};
	r.status = &status;
	if (lie == EXECUTE_STATUS) {
		pthread_mutex_lock(&reapi_peer.lock);
		status.code = reapi_peer.code;
		status.message = (char *)(uintptr_t)reapi_peer.message;
		pthread_mutex_unlock(&reapi_peer.lock);
	} else if (lie == EXECUTE_BUSY_ONCE) {
		status.code = WB_RPC_RESOURCE_EXHAUSTED;
	} else if (lie != EXECUTE_NO_RESULT) {
		r.result = &result;
	}
	send_operation(st, a, call, 4, &r);
}

static bool still(enum reapi_lie lie)
{
	pthread_mutex_lock(&reapi_peer.lock);
	bool same = reapi_peer.lie == lie;
	pthread_mutex_unlock(&reapi_peer.lock);
	return same;
}

void reapi_peer_execute(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			const ProtobufCMessage *request, void *arg)
{
	(void)request;
	(void)arg;
	pthread_mutex_lock(&reapi_peer.lock);
	enum reapi_lie lie = reapi_peer.lie;
	reapi_peer.seen.executed++;
	if (lie == EXECUTE_BUSY_ONCE)
		reapi_peer.lie = HONEST;
	pthread_mutex_unlock(&reapi_peer.lock);
	send_operation(st, a, call, 2, NULL);
	while (lie == EXECUTE_HANGS && still(lie))
		usleep(10000);
	if (lie == EXECUTE_BREAKS || lie == EXECUTE_LOST || lie == EXECUTE_LOST_TWICE) {
		wb_rpc_status_set(st, WB_RPC_UNAVAILABLE, "broken");
	} else if (lie == EXECUTE_ENDS) {
		return;
	} else {
		send_operation(st, a, call, 3, NULL);
		send_result(st, a, call, lie);
	}
}

void reapi_peer_wait_execution(struct wb_rpc_status *st, struct wb_arena *a, struct wb_server_call *call,
			       const ProtobufCMessage *request, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&reapi_peer.lock);
	enum reapi_lie lie = reapi_peer.lie;
	reapi_peer.seen.waited++;
	if (lie == EXECUTE_LOST)
		reapi_peer.lie = HONEST;
	pthread_mutex_unlock(&reapi_peer.lock);
	if (strcmp(((const RE(WaitExecutionRequest) *)request)->name, "operations/1") != 0)
		wb_rpc_status_set(st, WB_RPC_INVALID_ARGUMENT, "who?");
	else if (lie == EXECUTE_LOST || lie == EXECUTE_LOST_TWICE)
		wb_rpc_status_set(st, WB_RPC_NOT_FOUND, "no such operation");
	else
		send_result(st, a, call, HONEST);
}
