// nogil/multiprocessing.hpp -- Python's multiprocessing module, as nogil::multiprocessing (alias nogil::mp).

#pragma once

#include "nogil/multiprocessing/array.hpp"
#include "nogil/multiprocessing/async_result.hpp"
#include "nogil/multiprocessing/barrier.hpp"
#include "nogil/multiprocessing/condition.hpp"
#include "nogil/multiprocessing/connection.hpp"
#include "nogil/multiprocessing/errors.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/joinable_queue.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/map.hpp"
#include "nogil/multiprocessing/pipe.hpp"
#include "nogil/multiprocessing/pool.hpp"
#include "nogil/multiprocessing/process.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/multiprocessing/queue.hpp"
#include "nogil/multiprocessing/rlock.hpp"
#include "nogil/multiprocessing/semaphore.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/multiprocessing/shared_memory.hpp"
#include "nogil/multiprocessing/simple_queue.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/multiprocessing/value.hpp"
#include "nogil/threading/cpu_count.hpp"

namespace nogil::multiprocessing {

using nogil::cpu_count;

}  // namespace nogil::multiprocessing
