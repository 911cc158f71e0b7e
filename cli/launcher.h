/* launcher.h — `waybill COMPILER ARGS…`: ask the daemon, do what it says, and end as the compiler would. */
#ifndef WB_CLI_LAUNCHER_H
#define WB_CLI_LAUNCHER_H

/* `argv` is the compiler's command line, `env` this process's environment. Returns the exit code, or does not return
 * (the command ran in place of this process, or died by a signal). Whatever is wrong with the daemon, the command runs;
 * only bad settings end it, with 2. */
int wb_launch(const char *const *argv, const char *const *env);

#endif
