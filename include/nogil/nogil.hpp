// nogil/nogil.hpp -- the whole library, but for the parts that need another one.

#pragma once

#include "nogil/asyncio.hpp"
#include "nogil/futures.hpp"
#include "nogil/multiprocessing.hpp"
#include "nogil/queue.hpp"
#include "nogil/threading.hpp"
#include "nogil/trace.hpp"
#include "nogil/version.hpp"
