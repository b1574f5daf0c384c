// benchmarks/futures/parallel.hpp -- those that share out a loop, under the same few names.
//
//   struct Rival {
//     static constexpr const char* kName;
//     explicit Rival(int workers);                                         // threads, the caller among them
//     void for_each(std::vector<T>& items, F f);                           // f(T&) for each of them
//     T sum(std::int64_t begin, std::int64_t end, std::int64_t chunk, T zero, F f);   // of f(first, last)
//   };
//
// `chunk` is what one call of f takes where the rival has no mind of its own.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <vector>

#include "nogil/futures.hpp"
#include "support/cases.hpp"

#ifdef NOGIL_HAVE_TBB
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/task_arena.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace parallel {

// The bounds of chunks, as a range of their first numbers.
inline std::vector<std::int64_t> starts(std::int64_t begin, std::int64_t end, std::int64_t chunk) {
  std::vector<std::int64_t> all;
  for (std::int64_t first = begin; first < end; first += chunk) all.push_back(first);
  return all;
}

struct Nogil {
  static constexpr const char* kName = "nogil::ThreadPoolExecutor";

  explicit Nogil(int workers) : pool(static_cast<std::size_t>(workers)) {}

  template <class T, class F>
  void for_each(std::vector<T>& items, F f) {
    pool.for_each(items, f);
  }
  template <class T, class F>
  T sum(std::int64_t begin, std::int64_t end, std::int64_t chunk, T zero, F f) {
    return pool.transform_reduce(starts(begin, end, chunk), zero, std::plus<T>(),
                                 [&](std::int64_t first) { return f(first, std::min(first + chunk, end)); });
  }

  nogil::ThreadPoolExecutor pool;
};

// No thread but the caller's.
struct Loop {
  static constexpr const char* kName = "a loop";

  explicit Loop(int) {}

  template <class T, class F>
  void for_each(std::vector<T>& items, F f) {
    for (T& item : items) f(item);
  }
  template <class T, class F>
  T sum(std::int64_t begin, std::int64_t end, std::int64_t, T zero, F f) {
    return zero + f(begin, end);
  }
};

struct Async {
  static constexpr const char* kName = "std::async";

  explicit Async(int) {}

  template <class T, class F>
  T sum(std::int64_t begin, std::int64_t end, std::int64_t chunk, T zero, F f) {
    std::vector<std::future<T>> parts;
    for (const std::int64_t first : starts(begin, end, chunk)) {
      parts.push_back(std::async(std::launch::async, f, first, std::min(first + chunk, end)));
    }
    for (std::future<T>& part : parts) zero += part.get();
    return zero;
  }
};

#ifdef NOGIL_HAVE_TBB
struct Tbb {
  static constexpr const char* kName = "tbb::parallel_for";

  explicit Tbb(int workers) : arena(workers) {}

  template <class T, class F>
  void for_each(std::vector<T>& items, F f) {
    arena.execute([&] {
      tbb::parallel_for(tbb::blocked_range<std::size_t>(0, items.size()), [&](const auto& part) {
        for (std::size_t i = part.begin(); i != part.end(); ++i) f(items[i]);
      });
    });
  }
  template <class T, class F>
  T sum(std::int64_t begin, std::int64_t end, std::int64_t chunk, T zero, F f) {
    return arena.execute([&] {
      return tbb::parallel_reduce(
          tbb::blocked_range<std::int64_t>(begin, end, static_cast<std::size_t>(chunk)), zero,
          [&](const auto& part, T so_far) { return so_far + f(part.begin(), part.end()); }, std::plus<T>());
    });
  }

  tbb::task_arena arena;
};
#else
struct Tbb : bench::Absent {
  static constexpr const char* kName = "tbb::parallel_for";
};
#endif

#ifdef _OPENMP
struct OpenMp {
  static constexpr const char* kName = "OpenMP for";

  explicit OpenMp(int workers) : workers_(workers) {}

  template <class T, class F>
  void for_each(std::vector<T>& items, F f) {
    const std::size_t count = items.size();
#pragma omp parallel for num_threads(workers_) schedule(static)
    for (std::size_t i = 0; i < count; ++i) f(items[i]);
  }
  template <class T, class F>
  T sum(std::int64_t begin, std::int64_t end, std::int64_t chunk, T zero, F f) {
    T total = zero;
#pragma omp parallel for num_threads(workers_) schedule(dynamic) reduction(+ : total)
    for (std::int64_t first = begin; first < end; first += chunk) total += f(first, std::min(first + chunk, end));
    return total;
  }

 private:
  int workers_;
};
#else
struct OpenMp : bench::Absent {
  static constexpr const char* kName = "OpenMP for";
};
#endif

}  // namespace parallel
