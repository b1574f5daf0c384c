// nogil/futures.hpp -- everything of Python's concurrent.futures module, for threads.

#pragma once

#include "nogil/futures/as_completed.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/futures/map.hpp"
#include "nogil/futures/promise.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/futures/wait.hpp"
