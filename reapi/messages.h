/* messages.h — REAPI messages: short names for the generated types, decoding with the limits that fit them, and what
 * may stand in them. Thread-safe: no shared state. */
#ifndef WB_REAPI_MESSAGES_H
#define WB_REAPI_MESSAGES_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "proto/remote_execution.pb-c.h"
#include "wire/message.h"

typedef Build__Bazel__Remote__Execution__V2__Digest wb_re_digest;
typedef Build__Bazel__Remote__Execution__V2__Platform wb_re_platform;
typedef Build__Bazel__Remote__Execution__V2__Platform__Property wb_re_platform_property;
typedef Build__Bazel__Remote__Execution__V2__Command wb_re_command;
typedef Build__Bazel__Remote__Execution__V2__Command__EnvironmentVariable wb_re_variable;
typedef Build__Bazel__Remote__Execution__V2__Action wb_re_action;
typedef Build__Bazel__Remote__Execution__V2__FileNode wb_re_file_node;
typedef Build__Bazel__Remote__Execution__V2__DirectoryNode wb_re_directory_node;
typedef Build__Bazel__Remote__Execution__V2__SymlinkNode wb_re_symlink_node;
typedef Build__Bazel__Remote__Execution__V2__Directory wb_re_directory;
typedef Build__Bazel__Remote__Execution__V2__OutputFile wb_re_output_file;
typedef Build__Bazel__Remote__Execution__V2__ActionResult wb_re_action_result;

#define WB_MESSAGE_MAX        ((size_t)64 << 20)  /* serialised bytes of one message */
#define WB_MESSAGE_MAX_MEMORY ((size_t)512 << 20) /* decoded bytes of one message */

/* Decode `n` bytes into memory of `a`; nothing to release, and never protobuf-c's own free function. `what` names the
 * message in errors. WB_EPROTO: malformed; WB_ELIMIT. */
wb_status wb_action_decode(wb_re_action **out, struct wb_arena *a, const void *data, size_t n, struct wb_err *err);
wb_status wb_command_decode(wb_re_command **out, struct wb_arena *a, const void *data, size_t n, struct wb_err *err);
wb_status wb_directory_decode(wb_re_directory **out, struct wb_arena *a, const void *data, size_t n,
			      struct wb_err *err);
wb_status wb_action_result_decode(wb_re_action_result **out, struct wb_arena *a, const void *data, size_t n,
				  struct wb_err *err);
/* A Digest message with its text, in the arena. */
wb_re_digest *wb_re_digest_new(struct wb_arena *a, const struct wb_digest *d);
/* The digest in a message. WB_EPROTO when it is absent or malformed; `what` names the field. */
wb_status wb_re_digest_get(struct wb_digest *out, const wb_re_digest *m, const char *what, struct wb_err *err);

/* "NAME=VALUE,NAME=VALUE" as a Platform message in the arena, sorted by name and value as the protocol wants it; NULL
 * when `text` is empty. White space around names and values is dropped. WB_EINVAL: an entry without '=' or without a
 * name. */
wb_status wb_re_platform_parse(wb_re_platform **out, struct wb_arena *a, const char *text, struct wb_err *err);

/* May this be the name of a node in a Directory: not empty, no '/', not "." or ".."? */
bool wb_re_name_ok(const char *name);
/* May this be an output path or a working directory: relative, no empty, "." or ".." component? */
bool wb_re_path_ok(const char *path);

#endif
