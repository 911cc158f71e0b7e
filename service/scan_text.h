/* scan_text.h — what a scan found, as text. Pure but for scan_names.h's look at directories. `a` is for the work.
 */
#ifndef WB_SERVICE_SCAN_TEXT_H
#define WB_SERVICE_SCAN_TEXT_H

#include "base/str.h"

struct wb_arena;
struct wb_plan;
struct wb_scan_names;

enum wb_scan_format { WB_SCAN_MAKE, WB_SCAN_JSON, WB_SCAN_PATHS };

/* False: there is no such format. */
bool wb_scan_format_of(enum wb_scan_format *out, const char *name);

/* A rule as clang-scan-deps -format=make prints it, which is what the compiler's own -M prints, with absolute names:
 * targets as the command names them, then the files that the preprocessor read or looked at, in the order it met them,
 * the main file first; a line ends before column 76 (clang's DependencyFile.cpp). */
void wb_scan_text_make(struct wb_buf *out, struct wb_arena *a, struct wb_scan_names *names, const struct wb_plan *p);

/* The same files, one a line. */
void wb_scan_text_paths(struct wb_buf *out, struct wb_arena *a, struct wb_scan_names *names, const struct wb_plan *p);

/* One object: all inputs with their reasons and digests. Wants a plan that has reached WB_STAGE_INPUTS. */
void wb_scan_text_json(struct wb_buf *out, const struct wb_plan *p);

/* One object for a command that could not be scanned. `directory` may be NULL. */
void wb_scan_text_json_error(struct wb_buf *out, const char *source, const char *directory, const char *error);

/* `"key": "value"` */
void wb_scan_text_json_field(struct wb_buf *out, const char *key, const char *value);

#endif
