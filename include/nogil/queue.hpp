// nogil/queue.hpp -- everything of Python's queue module.

#pragma once

#include "nogil/queue/lifo_queue.hpp"
#include "nogil/queue/priority_queue.hpp"
#include "nogil/queue/queue.hpp"
#include "nogil/queue/simple_queue.hpp"
