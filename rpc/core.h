/* core.h — gRPC's C core itself, for this folder's files alone. */
#ifndef WB_RPC_CORE_H
#define WB_RPC_CORE_H

/* Begin to use it: counted, so each use ends with a grpc_shutdown of its own. What gRPC has to say goes to our log,
 * never to a stderr that belongs to somebody's build or terminal. Thread-safe. */
void wb_rpc_core_begin(void);

#endif
