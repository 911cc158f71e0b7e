#include "rpc/status.h"
