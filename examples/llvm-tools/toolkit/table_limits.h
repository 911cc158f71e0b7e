#ifndef TOOLKIT_TABLE_LIMITS_H
#define TOOLKIT_TABLE_LIMITS_H

// The widest first column of a table, in characters.
#define TOOLKIT_MAX_NAME_WIDTH 48

#endif
