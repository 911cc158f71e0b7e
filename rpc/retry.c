#include "rpc/retry.h"
