/* envnames.h — environment variables that change what a compile does: what a client sends to the daemon, and no more.
 */
#ifndef WB_BASE_ENVNAMES_H
#define WB_BASE_ENVNAMES_H

/* Names, NULL-terminated. Static. */
extern const char *const wb_env_names[];

#endif
