// benchmarks/futures/rivals.hpp -- what the pool is compared with, all under the same few names.
//
//   struct Rival {
//     static constexpr const char* kName;
//     class Pool {
//       explicit Pool(int workers);
//       auto submit(F f);        // something with get(), which waits and returns what f did
//       void post(F f);          // no future
//     };
//   };
//
// Futures    Asio, oneTBB and the pool by hand have none of their own: they get
//            std::packaged_task, as one writes it.
// Threads    Pool(n) has n threads that run tasks. oneTBB's arena counts the thread that
//            made it as one more, which only works while it waits inside the arena.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures.hpp"
#include "support/cases.hpp"

#ifdef NOGIL_HAVE_ASIO
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#endif
#ifdef NOGIL_HAVE_TBB
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#endif

namespace pools {

struct Nogil {
  static constexpr const char* kName = "nogil::ThreadPoolExecutor";

  class Pool : public nogil::ThreadPoolExecutor {
   public:
    explicit Pool(int workers) : ThreadPoolExecutor(static_cast<std::size_t>(workers)) {}

    template <class F>
    auto submit(F f) {
      return Pending<std::invoke_result_t<F&>>{ThreadPoolExecutor::submit(std::move(f))};
    }

   private:
    template <class T>
    struct Pending {
      nogil::Future<T> future;
      decltype(auto) get() { return std::move(future).result(); }
    };
  };
};

// ---- By hand -------------------------------------------------------------------------

// A queue of functions, a mutex, a condition. A std::function cannot hold a
// packaged_task, which cannot be copied: hence the shared_ptr that everybody writes.
struct ByHand {
  static constexpr const char* kName = "by hand: mutex and condition";

  class Pool {
   public:
    explicit Pool(int workers) {
      for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { serve(); });
    }
    ~Pool() {
      {
        const std::scoped_lock guard(mutex_);
        closed_ = true;
      }
      changed_.notify_all();
      for (std::thread& thread : threads_) thread.join();
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    template <class F>
    auto submit(F f) {
      auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F&>()>>(std::move(f));
      auto future = task->get_future();
      post([task] { (*task)(); });
      return future;
    }

    template <class F>
    void post(F f) {
      {
        const std::scoped_lock guard(mutex_);
        tasks_.emplace(std::move(f));
      }
      changed_.notify_one();
    }

   private:
    void serve() {
      for (std::unique_lock guard(mutex_);;) {
        changed_.wait(guard, [this] { return closed_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        const std::function<void()> task = std::move(tasks_.front());
        tasks_.pop();
        guard.unlock();
        task();
        guard.lock();
      }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::queue<std::function<void()>> tasks_;
    bool closed_ = false;
    std::vector<std::thread> threads_;
  };
};

// A thread for each task.
struct Async {
  static constexpr const char* kName = "std::async";

  class Pool {
   public:
    explicit Pool(int) {}
    template <class F>
    auto submit(F f) {
      return std::async(std::launch::async, std::move(f));
    }
  };
};

// ---- Libraries -----------------------------------------------------------------------

#ifdef NOGIL_HAVE_ASIO
struct Asio {
  static constexpr const char* kName = "asio::thread_pool";

  class Pool {
   public:
    explicit Pool(int workers) : pool_(static_cast<std::size_t>(workers)) {}
    ~Pool() { pool_.join(); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    template <class F>
    auto submit(F f) {
      std::packaged_task<std::invoke_result_t<F&>()> task(std::move(f));
      auto future = task.get_future();
      asio::post(pool_, std::move(task));
      return future;
    }
    template <class F>
    void post(F f) {
      asio::post(pool_, std::move(f));
    }

   private:
    asio::thread_pool pool_;
  };
};
#else
struct Asio : bench::Absent {
  static constexpr const char* kName = "asio::thread_pool";
};
#endif

#ifdef NOGIL_HAVE_TBB
struct Tbb {
  static constexpr const char* kName = "tbb::task_arena";

  // All slots are for workers: who submits is none of them.
  class Pool {
   public:
    explicit Pool(int workers) : arena_(workers, 0) { arena_.initialize(); }

    template <class F>
    auto submit(F f) {
      auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F&>()>>(std::move(f));
      auto future = task->get_future();
      arena_.enqueue([task] { (*task)(); });
      return future;
    }
    template <class F>
    void post(F f) {
      arena_.enqueue(std::move(f));
    }

   private:
    tbb::task_arena arena_;
  };
};
#else
struct Tbb : bench::Absent {
  static constexpr const char* kName = "tbb::task_arena";
};
#endif

}  // namespace pools
