// tests/support/wait_suite.hpp -- the grammar of waiting, as tests for anything that waits.
//
// verb(), verb(timeout), verb(deadline), verb(stop_token), verb(timeout, stop_token)
// mean the same everywhere, so their tests are written once, for a Door (support/doors.hpp),
// and each primitive's test file has them for its own:
//
//   NOGIL_WAIT_SUITE(Lock, TimedWait, LockDoor<nogil::Lock>);
//   NOGIL_WAIT_SUITE(Lock, StoppableWait, LockDoor<nogil::Lock>);
//   NOGIL_WAIT_SUITE(Lock, TimedStoppableWait, LockDoor<nogil::Lock>);
//   NOGIL_WAIT_SUITE(Lock, WaitForWhatIsFree, LockDoor<nogil::Lock>);
//
// Their bodies see doors through a virtual function, and are compiled once for a whole
// program: one of its files includes support/wait_suite_cases.hpp.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <ratio>
#include <stdexcept>
#include <stop_token>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

#include "support/clocks.hpp"
#include "support/doors.hpp"

namespace nogil::testing {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using FloatSeconds = std::chrono::duration<double>;
using Years = std::chrono::duration<std::int64_t, std::ratio<31'556'952>>;
using Centuries = std::chrono::duration<std::int64_t, std::ratio<3'155'695'200>>;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class... Types>
struct TypeList {};

// Every timeout and deadline that the cases use, and those that they use beside a token.
using LimitTypes =
    TypeList<std::chrono::nanoseconds, std::chrono::microseconds, std::chrono::milliseconds, std::chrono::seconds,
             std::chrono::hours, Years, Centuries, FloatSeconds, std::chrono::duration<float>,
             std::chrono::duration<float, std::milli>, std::chrono::duration<unsigned>,
             std::chrono::duration<unsigned, std::milli>, std::chrono::duration<unsigned long, std::nano>,
             std::chrono::duration<std::int64_t, std::pico>, steady_clock::time_point, system_clock::time_point,
             std::chrono::time_point<steady_clock, std::chrono::milliseconds>,
             std::chrono::time_point<system_clock, std::chrono::milliseconds>,
             std::chrono::time_point<system_clock, std::chrono::hours>,
             std::chrono::time_point<steady_clock, FloatSeconds>, SlowClock::time_point, SettableClock::time_point>;
using LimitTypesWithToken = TypeList<std::chrono::milliseconds, std::chrono::seconds, std::chrono::hours, FloatSeconds,
                                     steady_clock::time_point, system_clock::time_point, SettableClock::time_point>;

template <class List>
struct VariantOf;
template <class... Types>
struct VariantOf<TypeList<Types...>> {
  using Type = std::variant<Types...>;
};
using Limit = VariantOf<LimitTypes>::Type;

// A door of any kind.
class AnyDoor {
 public:
  virtual ~AnyDoor() = default;

  bool wait() { return wait_for(nullptr, nullptr); }
  bool wait(const std::stop_token& token) { return wait_for(nullptr, &token); }
  template <class T>
  bool wait(T limit) {
    const Limit erased(std::in_place_type<T>, limit);
    return wait_for(&erased, nullptr);
  }
  template <class T>
  bool wait(T limit, const std::stop_token& token) {
    const Limit erased(std::in_place_type<T>, limit);
    return wait_for(&erased, &token);
  }
  virtual void done() = 0;
  virtual void open() = 0;

 private:
  virtual bool wait_for(const Limit* limit, const std::stop_token* token) = 0;
};

template <class Kind>
class DoorOf final : public AnyDoor {
 public:
  void done() override { door_.done(); }
  void open() override { door_.open(); }

 private:
  bool wait_for(const Limit* limit, const std::stop_token* token) override {
    if (token == nullptr) return limit == nullptr ? door_.wait() : wait_one_of(LimitTypes(), *limit);
    if constexpr (Kind::kStops) {
      if (limit == nullptr) return door_.wait(*token);
    }
    if constexpr (Kind::kBoth) {
      if (limit != nullptr) return wait_one_of(LimitTypesWithToken(), *limit, *token);
    }
    throw std::logic_error("this door takes no such limit");
  }

  template <class... Types, class... Token>
  bool wait_one_of(TypeList<Types...>, const Limit& limit, const Token&... token) {
    bool through = false;
    const auto is_it = [&]<class T>(const T* value) {
      if (value != nullptr) through = door_.wait(*value, token...);
      return value != nullptr;
    };
    if (!(is_it(std::get_if<Types>(&limit)) || ...)) throw std::logic_error("add this type of limit to the list");
    return through;
  }

  Kind door_;
};

struct DoorKind {
  const std::type_info& type;
  bool stays, stops, both;
  std::unique_ptr<AnyDoor> (*make)();
};

template <class Kind>
const DoorKind& door_kind() {
  static const DoorKind kind{typeid(Kind), Kind::kStays, Kind::kStops, Kind::kBoth,
                             []() -> std::unique_ptr<AnyDoor> { return std::make_unique<DoorOf<Kind>>(); }};
  return kind;
}

template <class... Kinds>
struct DoorKinds {
  static std::vector<const DoorKind*> all() { return {&door_kind<Kinds>()...}; }
};
template <class... Kinds>
struct DoorKinds<::testing::Types<Kinds...>> : DoorKinds<Kinds...> {};

struct WaitCase {
  const char* name;
  void (*run)(const DoorKind&);
};

enum class WaitSuite { TimedWait, StoppableWait, TimedStoppableWait, WaitForWhatIsFree };

// Each case of the suite as a test "prefix/suite/number of the door.case".
bool add_wait_tests(const char* prefix, const char* name, WaitSuite suite, const std::vector<const DoorKind*>& doors,
                    const char* file, int line);

#define NOGIL_WAIT_SUITE(prefix, suite, ...)                                                \
  [[maybe_unused]] static const bool kAdded##prefix##suite =                                \
      ::nogil::testing::add_wait_tests(#prefix, #suite, ::nogil::testing::WaitSuite::suite, \
                                       ::nogil::testing::DoorKinds<__VA_ARGS__>::all(), __FILE__, __LINE__)

}  // namespace nogil::testing
