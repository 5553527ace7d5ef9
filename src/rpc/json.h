// Boost.JSON without a library to link: its definitions are compiled once, in json.cc. Pure.
#pragma once

#include <boost/json.hpp>
