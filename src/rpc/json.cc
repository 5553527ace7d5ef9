#include "rpc/json.h"

#include <boost/json/src.hpp>
