#include "rpc/endpoint.h"
