#include "discovery/json.h"

#include <boost/json/src.hpp>
