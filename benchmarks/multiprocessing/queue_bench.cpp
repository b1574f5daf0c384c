// Elements from one process to another: nogil's queues and connections, and a pipe by hand.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "multiprocessing/rivals.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using processes::Forked;
using processes::read_all;
using processes::write_all;

constexpr int kBatch = 10'000;

// A child that puts 0, 1, …, n - 1 as often as it is asked for n numbers.
template <template <class> class QueueOf>
class QueueStream {
 public:
  void ask(int n) { orders_.put(n); }
  int get() { return numbers_.get(); }

 private:
  static void produce(QueueOf<int> orders, QueueOf<int> numbers) {
    for (;;) {
      const int n = orders.get();
      for (int i = 0; i < n; ++i) numbers.put(i);
    }
  }
  static nogil::mp::Process started(const QueueOf<int>& orders, const QueueOf<int>& numbers) {
    nogil::mp::Process child({.daemon = true}, produce, orders, numbers);
    child.start();
    return child;
  }

  QueueOf<int> orders_;
  QueueOf<int> numbers_;
  nogil::mp::Process child_ = started(orders_, numbers_);
};

struct Queue {
  static constexpr const char* kName = "nogil::mp::Queue";
  using Stream = QueueStream<nogil::mp::Queue>;
};

struct SimpleQueue {
  static constexpr const char* kName = "nogil::mp::SimpleQueue";
  using Stream = QueueStream<nogil::mp::SimpleQueue>;
};

struct Pipe {
  static constexpr const char* kName = "nogil::mp::Pipe";

  class Stream {
   public:
    void ask(int n) { ends_.first.send(n); }
    int get() { return ends_.first.recv(); }

   private:
    static void produce(nogil::mp::Connection<int> line) {
      for (;;) {
        const int n = line.recv();
        for (int i = 0; i < n; ++i) line.send(i);
      }
    }
    static nogil::mp::Process started(const nogil::mp::Connection<int>& line) {
      nogil::mp::Process child({.daemon = true}, produce, line);
      child.start();
      return child;
    }

    std::pair<nogil::mp::Connection<int>, nogil::mp::Connection<int>> ends_ = nogil::mp::Pipe<int>();
    nogil::mp::Process child_ = started(ends_.second);
  };
};

struct RawPipe {
  static constexpr const char* kName = "a pipe";

  class Stream {
   public:
    Stream() {
      if (::pipe(orders_) != 0 || ::pipe(numbers_) != 0) std::abort();
      child_ = std::make_unique<Forked>([this] {
        for (int n; read_all(orders_[0], &n, sizeof n);) {
          for (int i = 0; i < n; ++i) {
            if (!write_all(numbers_[1], &i, sizeof i)) return;
          }
        }
      });
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() {
      child_.reset();
      for (const int fd : {orders_[0], orders_[1], numbers_[0], numbers_[1]}) ::close(fd);
    }
    void ask(int n) { write_all(orders_[1], &n, sizeof n); }
    int get() {
      int number = -1;
      read_all(numbers_[0], &number, sizeof number);
      return number;
    }

   private:
    int orders_[2];
    int numbers_[2];
    std::unique_ptr<Forked> child_;
  };
};

// 10,000 numbers from a child, one by one.
template <class R>
void mp_stream(benchmark::State& state) {
  typename R::Stream stream;
  std::int64_t got = 0;
  std::int64_t wanted = 0;
  const auto body = [&] {
    stream.ask(kBatch);
    for (int i = 0; i < kBatch; ++i) got += stream.get();
    wanted += std::int64_t{kBatch} * (kBatch - 1) / 2;
  };
  const double before = bench::two_thread_control();
  body();
  bench::measure_batches(state, kBatch, body);
  bench::report_control(state, before);
  bench::check(state, got == wanted, "not all that was put came out");
}

// A number is asked for, and comes: one round trip.
template <class R>
void mp_ask_and_get(benchmark::State& state) {
  typename R::Stream stream;
  std::int64_t got = 0;
  bench::measure_with(
      state, 0, [](std::int64_t) {},
      [&] {
        stream.ask(1);
        got += stream.get();
      });
  bench::check(state, got == 0, "a wrong number came");
}

[[maybe_unused]] const bool registered = [] {
  using All = bench::Rivals<Queue, SimpleQueue, Pipe, RawPipe>;
  bench::compare(All(), BENCH_CASE(mp_stream), {.goals = {bench::at_most(1, RawPipe::kName)}});
  bench::compare(All(), BENCH_CASE(mp_ask_and_get), {.goals = {bench::at_most(0.5, RawPipe::kName)}});
  return true;
}();

}  // namespace
