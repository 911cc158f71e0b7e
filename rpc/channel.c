#include "rpc/channel.h"
