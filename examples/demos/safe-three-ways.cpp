// safe-three-ways -- shared data without a race: a lock, a queue, or nothing to change.
//
// Four threads sell what a price list has, and the takings must be right to the penny.
//
// 1. A lock: one total for all, and whoever adds to it holds the lock.
// 2. A queue: whoever sells puts the price into a queue; one cashier owns the total.
// 3. Immutable objects: nobody changes what others see. Each thread adds up for itself
//    and hands over one number when it is joined.
//
// All three read the same price list without a lock: it is const, and what never changes
// may be read by all. A new price means a new list. Whoever holds the old one keeps it,
// and never sees half of a change.
//
// Python:
//
//     def with_lock(prices):
//         global total
//         for price in prices:
//             with lock:
//                 total += price
//
//     def with_queue(prices):
//         for price in prices:
//             q.put(price)          # the cashier: total += q.get()
//
//     PRICES = tuple(...)           # immutable
//
//     def with_own_total(prices):
//         return sum(prices)

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/queue.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using Prices = std::vector<long>;  // in pence
using PriceList = std::shared_ptr<const Prices>;

PriceList price_list() {
  auto prices = std::make_shared<Prices>();
  for (long n = 0; n < 1000; ++n) prices->push_back(100 + n * n % 997);
  return prices;
}

// What the sale of the n-th thing brings in.
long price_of(const Prices& prices, long n) {
  return prices[static_cast<std::size_t>(n) % prices.size()];
}

// Runs sell(thread number) in `count` threads, then `cash_up`. Says what a sale costs.
template <class Sell, class CashUp>
long takings(std::string_view how, int count, long sales, Sell sell, CashUp cash_up) {
  const tour::Stopwatch watch;
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(sell, i).start();
  for (nogil::Thread& t : threads) t.join();
  const long total = cash_up();
  const double each = watch.wall().count() / static_cast<double>(sales * count);
  tour::print(tour::pad_right(std::string(how), 12), tour::pad_left(std::to_string(total), 12), "   ", watch.both(),
              tour::pad_left(tour::fixed(each * 1e9, 1), 8), " ns a sale");
  return total;
}

// A pair of prices that change together, while others read. Returns how many saw one of
// them changed and the other not yet.
int torn_reads(long changes) {
  using Pair = std::array<long, 2>;
  nogil::Lock lock;
  auto current = std::make_shared<const Pair>();
  std::atomic<int> torn = 0;

  nogil::Thread writer([&] {
    for (long n = 1; n <= changes; ++n) {
      auto next = std::make_shared<const Pair>(Pair{n, n});
      const std::scoped_lock guard(lock);  // only to change the pointer
      current.swap(next);
    }
  });
  std::vector<nogil::Thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      for (long seen = 0; seen < changes;) {
        const auto mine = nogil::with(lock, [&] { return current; });
        torn += (*mine)[0] != (*mine)[1] || (*mine)[0] < seen;
        seen = (*mine)[0];
      }
    });
  }
  for (nogil::Thread& t : readers) t.start();
  writer.start();
  writer.join();
  for (nogil::Thread& t : readers) t.join();
  return torn;
}

void safe_three_ways(tour::Run& run) {
  const int count = run.threads(4);
  const long sales = run.size(250'000);
  const PriceList prices = price_list();
  long expected = 0;
  for (long n = 0; n < sales; ++n) expected += price_of(*prices, n);
  expected *= count;

  tour::print(count, count == 1 ? " thread, " : " threads, ", sales, " sales each");
  nogil::Lock lock;
  long total = 0;
  const long by_lock = takings(
      "a lock", count, sales,
      [&](int) {
        for (long n = 0; n < sales; ++n) {
          const std::scoped_lock guard(lock);  // with lock:
          total += price_of(*prices, n);
        }
      },
      [&] { return total; });

  nogil::Queue<long> sold(1024);
  long till = 0;
  nogil::Thread cashier([&] {
    for (const long price : sold) till += price;
  });
  cashier.start();
  const long by_queue = takings(
      "a queue", count, sales,
      [&](int) {
        for (long n = 0; n < sales; ++n) sold.put(price_of(*prices, n));
      },
      [&] {
        sold.shutdown();
        cashier.join();
        return till;
      });

  std::vector<long> subtotals(static_cast<std::size_t>(count));
  const long by_own_totals = takings(
      "immutable", count, sales,
      [&](int i) {
        const PriceList mine = prices;  // another handle to the same list, which nobody can change
        long subtotal = 0;
        for (long n = 0; n < sales; ++n) subtotal += price_of(*mine, n);
        subtotals[static_cast<std::size_t>(i)] = subtotal;
      },
      [&] {
        long sum = 0;
        for (const long subtotal : subtotals) sum += subtotal;
        return sum;
      });

  const long changes = run.size(100'000);
  const int torn = torn_reads(changes);
  tour::print(changes, " new price lists while two threads read: ", torn, " half changed ones were seen");

  run.expect("takings: with a lock", by_lock, expected);
  run.expect("a queue", by_queue, expected);
  run.expect("immutable", by_own_totals, expected);
  run.check(torn == 0, "nobody sees half of a change");
}

const tour::Demo registered({.id = "safe-three-ways",
                             .cell = "0.16",
                             .seconds = 0.3,
                             .teaches = "no data race: with a lock, with a queue, with what never changes"},
                            safe_three_ways);

}  // namespace
