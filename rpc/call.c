#include "rpc/call.h"
