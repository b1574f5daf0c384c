// nogil/threading.hpp -- everything of Python's threading module.

#pragma once

#include "nogil/threading/barrier.hpp"
#include "nogil/threading/condition.hpp"
#include "nogil/threading/cpu_count.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/deadlock.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/excepthook.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"
#include "nogil/threading/rwlock.hpp"
#include "nogil/threading/semaphore.hpp"
#include "nogil/threading/synchronized.hpp"
#include "nogil/threading/thread.hpp"
#include "nogil/threading/thread_local.hpp"
#include "nogil/threading/timer.hpp"
#include "nogil/threading/with.hpp"
