#include "support/counting_new.hpp"
