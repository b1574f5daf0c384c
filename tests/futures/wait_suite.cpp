#include "support/wait_suite_cases.hpp"
