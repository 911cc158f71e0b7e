#include "scanner/doubt.h"

static const struct {
	const char *name;
	const char *text;
} doubts[] = {
#define X(id, name, text) {name, text},
    WB_DOUBTS(X)
#undef X
};

const char *wb_doubt_name(enum wb_doubt d)
{
	return (unsigned)d < WB_DOUBT_COUNT ? doubts[d].name : "unknown";
}

const char *wb_doubt_text(enum wb_doubt d)
{
	return (unsigned)d < WB_DOUBT_COUNT ? doubts[d].text : "an unknown doubt";
}
