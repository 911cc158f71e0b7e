/* depfile.h — a depfile that was written without the daemon. A command that uses a precompiled header made by Waybill
 * names the header's inputs by /proc/self/cwd/…; a build tool would look for them in its own directory for ever. The
 * daemon maps them back; this is what can be done without it. */
#ifndef WB_CLI_DEPFILE_H
#define WB_CLI_DEPFILE_H

struct wb_arena;

/* The depfile that `argv` asks for (the operand of -MF or -Wp,-MD, else named from -o or the source as gcc and clang
 * do), or NULL. Response files are not opened. In the arena or borrowed from `argv`. */
const char *wb_depfile_of(struct wb_arena *a, const char *const *argv);

/* Remove every "/proc/self/cwd/" that starts a name in the file. Only a regular file that has one is rewritten,
 * atomically; a failure leaves it as it was. */
void wb_depfile_strip(struct wb_arena *a, const char *path);

#endif
