#pragma once
#include <hiredis/hiredis.h>
#include "tls.h"
