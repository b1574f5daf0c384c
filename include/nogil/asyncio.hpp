// nogil/asyncio.hpp -- everything of Python's asyncio module.
//
//   namespace asyncio = nogil::asyncio;
//
// But for <nogil/asyncio/curl.hpp>, which needs libcurl.

#pragma once

#include "nogil/asyncio/as_completed.hpp"
#include "nogil/asyncio/barrier.hpp"
#include "nogil/asyncio/cancelled_error.hpp"
#include "nogil/asyncio/condition.hpp"
#include "nogil/asyncio/coro.hpp"
#include "nogil/asyncio/event.hpp"
#include "nogil/asyncio/event_loop.hpp"
#include "nogil/asyncio/future.hpp"
#include "nogil/asyncio/gather.hpp"
#include "nogil/asyncio/lifo_queue.hpp"
#include "nogil/asyncio/lock.hpp"
#include "nogil/asyncio/open_connection.hpp"
#include "nogil/asyncio/outcome.hpp"
#include "nogil/asyncio/priority_queue.hpp"
#include "nogil/asyncio/queue.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/semaphore.hpp"
#include "nogil/asyncio/server.hpp"
#include "nogil/asyncio/shield.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/start_server.hpp"
#include "nogil/asyncio/stream_errors.hpp"
#include "nogil/asyncio/stream_reader.hpp"
#include "nogil/asyncio/stream_writer.hpp"
#include "nogil/asyncio/subprocess.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/asyncio/task_group.hpp"
#include "nogil/asyncio/timeout.hpp"
#include "nogil/asyncio/to_thread.hpp"
#include "nogil/asyncio/wait.hpp"
#include "nogil/asyncio/wait_for.hpp"
