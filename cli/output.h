/* output.h — what the client itself writes. No stdio: a fresh process must cost little, and a forked child must find no
 * half-full buffers. */
#ifndef WB_CLI_OUTPUT_H
#define WB_CLI_OUTPUT_H

#include <stddef.h>

/* Write all bytes to stdout or stderr; 0 or errno. */
int wb_output(int fd, const void *data, size_t n);

/* "waybill: TEXT\n" on stderr, in one write. */
void wb_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
