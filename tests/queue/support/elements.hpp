// tests/queue/support/elements.hpp -- elements that are hard on a queue.

#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace nogil::testing {

// Says when it is destroyed twice, and how many of its kind there are.
class Counted {
 public:
  Counted(int value = 0) noexcept : value_(value) { ++live; }
  Counted(const Counted& other) noexcept : value_(other.value()) { ++live; }
  Counted(Counted&& other) noexcept : value_(std::exchange(other.value_, kMovedFrom)) { ++live; }
  Counted& operator=(const Counted& other) noexcept = default;
  Counted& operator=(Counted&& other) noexcept {
    value_ = std::exchange(other.value_, kMovedFrom);
    return *this;
  }
  ~Counted() {
    if (mark_.exchange(kDead) != kAlive) ++destroyed_twice;
    --live;
  }

  int value() const noexcept { return value_; }
  bool moved_from() const noexcept { return value_ == kMovedFrom; }
  friend bool operator<(const Counted& a, const Counted& b) noexcept { return a.value_ < b.value_; }

  static inline std::atomic<int> live{0};
  static inline std::atomic<int> destroyed_twice{0};

 private:
  static constexpr int kMovedFrom = -1;
  static constexpr std::uint32_t kAlive = 0xA11FEu;
  static constexpr std::uint32_t kDead = 0xDEADu;

  // An atomic, so that the compiler keeps a store into an object that dies.
  struct Mark : std::atomic<std::uint32_t> {
    Mark() noexcept : std::atomic<std::uint32_t>(kAlive) {}
    Mark(const Mark&) noexcept : Mark() {}
    Mark& operator=(const Mark&) noexcept { return *this; }
  };

  int value_;
  Mark mark_;
};

struct Fault : std::runtime_error {
  Fault() : std::runtime_error("as was asked for") {}
};

// Which operation of an element fails next, in this thread.
class Faults {
 public:
  // The n-th one from now on; 0: none.
  static void arm(int n) noexcept { t_until_failure_ = n; }
  static bool armed() noexcept { return t_until_failure_ != 0; }
  static void step() {
    if (t_until_failure_ != 0 && --t_until_failure_ == 0) throw Fault();
  }

 private:
  static inline thread_local int t_until_failure_ = 0;
};

// Any of its operations may fail, and then has changed nothing.
template <bool kMoveFails>
class Fragile {
 public:
  explicit Fragile(int value) : inside_(value) {}
  Fragile(const Fragile& other) : inside_((Faults::step(), other.inside_)) {}
  Fragile(Fragile&& other) noexcept(!kMoveFails) : inside_((may_fail(), std::move(other.inside_))) {}
  Fragile& operator=(const Fragile& other) {
    Faults::step();
    inside_ = other.inside_;
    return *this;
  }
  Fragile& operator=(Fragile&& other) noexcept(!kMoveFails) {
    may_fail();
    inside_ = std::move(other.inside_);
    return *this;
  }

  int value() const noexcept { return inside_.value(); }
  bool moved_from() const noexcept { return inside_.moved_from(); }
  friend bool operator<(const Fragile& a, const Fragile& b) {
    Faults::step();
    return a.inside_ < b.inside_;
  }

 private:
  static void may_fail() noexcept(!kMoveFails) {
    if constexpr (kMoveFails) Faults::step();
  }

  Counted inside_;
};

// Can be moved, and nothing else.
struct MoveOnly {
  explicit MoveOnly(int value) : pointer(std::make_unique<int>(value)) {}
  MoveOnly(MoveOnly&&) noexcept = default;
  MoveOnly& operator=(MoveOnly&&) = delete;

  int value() const { return *pointer; }
  friend bool operator<(const MoveOnly& a, const MoveOnly& b) { return *a.pointer < *b.pointer; }

  std::unique_ptr<int> pointer;
};

struct alignas(128) Large {
  explicit Large(int value) { words.fill(value); }

  int value() const {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(this) % 128, 0u);
    for (const int word : words) EXPECT_EQ(word, words.front());
    return words.front();
  }
  friend bool operator<(const Large& a, const Large& b) { return a.words < b.words; }

  std::array<int, 1024> words;  // 4 KiB
};

// Has no default, no assignment, and no operator & to speak of.
class Awkward {
 public:
  explicit Awkward(int value) noexcept : value_(value) {}
  Awkward(const Awkward&) = default;
  Awkward& operator=(const Awkward&) = delete;
  void operator&() const = delete;

  int value() const noexcept { return value_; }
  friend bool operator<(const Awkward& a, const Awkward& b) noexcept { return a.value_ < b.value_; }

 private:
  const int value_;
};

}  // namespace nogil::testing
