#include "scanner/reason.h"

static const struct {
	const char *name;
	const char *text;
} reasons[] = {
#define X(id, name, text) {name, text},
    WB_REASONS(X)
#undef X
};

const char *wb_reason_name(enum wb_reason r)
{
	return (unsigned)r < WB_REASON_COUNT ? reasons[r].name : "internal";
}

const char *wb_reason_text(enum wb_reason r)
{
	return (unsigned)r < WB_REASON_COUNT ? reasons[r].text : "an unknown reason";
}

bool wb_reason_is_fallback(enum wb_reason r)
{
	return r >= WB_REASON_REMOTE_DOWN && r <= WB_REASON_WORKER_LINKS;
}
