// nogil/multiprocessing/detail/chunk.hpp -- many calls of one callable in one message.
//
// What map() and its like send: the callable once, then the arguments of each call, one
// after the other, to the end of the message. What comes back is
//
//   how many calls returned | their results | for each of the others: its number, its exception
//
// so that a chunk of numbers is little more than an array in both directions.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/detail/map_source.hpp"
#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/exception_codec.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

// Whether each element of a range is one argument, or a tuple of all.
enum class Spread { kNo, kTuple };

template <Spread kSpread, class F, class... Arguments>
struct SpreadResult {
  using Type = std::invoke_result_t<F&, Arguments...>;
};
template <class F, class Tuple>
struct SpreadResult<Spread::kTuple, F, Tuple> {
  using Type = decltype(std::apply(std::declval<F&>(), std::declval<Tuple>()));
};

// ---- In the worker -----------------------------------------------------------------------

template <Spread kSpread, class F, class... Arguments>
struct ChunkCall {
  using Value = typename SpreadResult<kSpread, F, Arguments...>::Type;

  static void run(InputArchive& in, OutputArchive& out) {
    auto callable = load_callable<F>(in);
    const std::size_t count_at = out.size();
    std::uint64_t returned = 0;
    out.write_raw(returned);
    std::vector<std::pair<std::uint64_t, std::exception_ptr>> errors;
    for (std::uint64_t number = 0; in.left() != 0; ++number) {
      std::tuple<Arguments...> arguments{load<Arguments>(in)...};  // braces: from left to right
      const std::size_t size = out.size();
      const std::size_t files = out.files();
      try {
        if constexpr (std::is_void_v<Value>) call(callable, arguments);
        else save<std::decay_t<Value>>(out, call(callable, arguments));
        ++returned;
      } catch (...) {
        out.rewind(size, files);
        errors.emplace_back(number, std::current_exception());
      }
    }
    out.rewrite(count_at, returned);
    for (const auto& [number, error] : errors) {
      out.write_raw(number);
      save_exception(out, error);
    }
  }

  static inline constinit Descriptor descriptor{Descriptor::kMagic, type_hash<ChunkCall>(), &run};

 private:
  static decltype(auto) call(F& callable, std::tuple<Arguments...>& arguments) {
    if constexpr (kSpread == Spread::kTuple) return std::apply(callable, std::get<0>(std::move(arguments)));
    else return std::apply([&](Arguments&... each) -> Value { return callable(std::move(each)...); }, arguments);
  }
};

// ---- What came back ------------------------------------------------------------------------

// The results of one chunk, in the order of the calls.
template <class R>
struct ChunkResults {
  struct Value {
    R value;  // in a struct, as there is a vector<bool>
  };

  std::vector<Value> values{};  // of the calls that returned
  std::vector<std::pair<std::uint64_t, std::exception_ptr>> errors{};

  static constexpr bool kPlain = kind_of<R>() == Kind::kPlain && std::is_trivially_default_constructible_v<R>;

  void load_values(InputArchive& in) {
    const std::size_t count = in.read_count();
    if constexpr (kPlain) {
      if (count > in.left() / sizeof(R)) throw_malformed("serialize: the bytes end before the value does");
      values.resize(count);
      static_assert(sizeof(Value) == sizeof(R));
      if (count != 0) std::memcpy(static_cast<void*>(values.data()), in.read(count * sizeof(R)), count * sizeof(R));
    } else {
      values.reserve(count);
      for (std::size_t left = count; left != 0; --left) values.push_back(Value{load<R>(in)});
    }
  }

  std::size_t size() const noexcept { return values.size() + errors.size(); }
};

template <>
struct ChunkResults<void> {
  std::uint64_t returned = 0;
  std::vector<std::pair<std::uint64_t, std::exception_ptr>> errors{};

  void load_values(InputArchive& in) { returned = in.read_raw<std::uint64_t>(); }
  std::size_t size() const noexcept { return static_cast<std::size_t>(returned) + errors.size(); }
};

template <class R>
struct LoadChunk {
  static ChunkResults<R> load(InputArchive& in) {
    ChunkResults<R> results;
    results.load_values(in);
    while (in.left() != 0) {
      const auto number = in.read_raw<std::uint64_t>();
      results.errors.emplace_back(number, load_exception(in));
    }
    return results;
  }
};

template <class R>
using ChunkTask = PoolTaskOf<ChunkResults<R>, LoadChunk<R>>;

// ---- Reading the ranges ----------------------------------------------------------------------

// Reads ranges side by side, to the end of the shortest, and writes what it has read as
// calls. Ranges are R& or R.
template <Spread kSpread, class F, class... Ranges>
class ChunkReader {
 public:
  template <class Range>
  using Element = std::iter_value_t<nogil::detail::RangeIterator<Range>>;
  using ThisCall = ChunkCall<kSpread, F, SentAs<const Element<Ranges>&>...>;
  using Result = std::decay_t<typename ThisCall::Value>;

  template <class Function>
  explicit ChunkReader(Function&& function, Ranges&&... ranges)
      : function_(std::forward<Function>(function)),
        ranges_(std::forward<Ranges>(ranges)...),
        at_(std::apply(
            [](auto&... range) {
              return std::tuple<nogil::detail::RangeIterator<Ranges>...>(nogil::detail::begin_of(range)...);
            },
            ranges_)) {
    static_assert(sizeof(RefusedCallable<F>) != 0);
    if constexpr (!std::is_void_v<Result>) static_assert(sizeof(Refused<Result>) != 0);
  }
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;

  static constexpr bool kSized =
      (std::sized_sentinel_for<nogil::detail::RangeSentinel<Ranges>, nogil::detail::RangeIterator<Ranges>> && ...);

  // How many elements there are to read, where that can be told; else 0.
  std::uint64_t size() {
    if constexpr (kSized) return size(std::index_sequence_for<Ranges...>());
    else return 0;
  }

  // What each chunk begins with.
  void write_head(OutputArchive& out) {
    save_descriptor(out, ThisCall::descriptor);
    save_callable<F>(out, function_);
  }

  // Writes the arguments of the next call. False: there are no more. If reading or writing
  // them throws, nothing is written, and the next time goes on behind them.
  bool read(OutputArchive& out) { return read(out, std::index_sequence_for<Ranges...>()); }

 private:
  template <std::size_t... kIndex>
  std::uint64_t size(std::index_sequence<kIndex...>) {
    std::uint64_t least = ~std::uint64_t{0};
    const auto note = [&least](auto length) {
      if (static_cast<std::uint64_t>(length) < least) least = static_cast<std::uint64_t>(length);
    };
    (note(nogil::detail::end_of(std::get<kIndex>(ranges_)) - std::get<kIndex>(at_)), ...);
    return least;
  }

  template <std::size_t... kIndex>
  bool read(OutputArchive& out, std::index_sequence<kIndex...>) {
    // The iterators step on when another element is wanted: for input from outside, the
    // step is what waits.
    if (std::exchange(used_, false)) (static_cast<void>(++std::get<kIndex>(at_)), ...);
    if (!((std::get<kIndex>(at_) != nogil::detail::end_of(std::get<kIndex>(ranges_))) && ...)) return false;
    used_ = true;
    const std::size_t size = out.size();
    const std::size_t files = out.files();
    try {
      (save_argument<Element<Ranges>>(out, *std::get<kIndex>(at_)), ...);
    } catch (...) {
      out.rewind(size, files);
      throw;
    }
    return true;
  }

  const F function_;
  std::tuple<Ranges...> ranges_;  // references to lvalues
  std::tuple<nogil::detail::RangeIterator<Ranges>...> at_;
  bool used_ = false;
};

}  // namespace nogil::multiprocessing::detail
