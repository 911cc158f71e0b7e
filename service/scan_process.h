/* scan_process.h — `waybilld scan`: the verb in a process of its own, with neither daemon nor socket. It takes no lock
 * and touches nothing of a daemon's but the answers of the compilers, which are files that are replaced whole. */
#ifndef WB_SERVICE_SCAN_PROCESS_H
#define WB_SERVICE_SCAN_PROCESS_H

struct wb_config;

/* `args`: what follows "scan". Writes to standard output and standard error; returns the exit code. */
int wb_scan_process(const struct wb_config *config, const char *const *args, const char *const *env);

#endif
