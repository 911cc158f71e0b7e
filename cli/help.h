/* help.h — what the client says about itself. */
#ifndef WB_CLI_HELP_H
#define WB_CLI_HELP_H

struct wb_verb;

void wb_help_usage(int fd);                    /* a few lines */
void wb_help_all(void);                        /* `waybill --help`, on stdout */
void wb_help_verb(const struct wb_verb *verb); /* `waybill help VERB`, on stdout */
void wb_help_version(void);                    /* on stdout */
int wb_help_settings(const char *format);      /* `--settings=FORMAT`, on stdout; the exit code */

#endif
