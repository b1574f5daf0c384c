// tests/model/choices.hpp -- the decisions that make one execution, and how to try others.
//
// An execution is a function of the numbers that choose() gave it. Decision 0 is always
// the uneventful one (go on, read the latest value, no surprise), so a schedule is written
// down as the decisions that were something else: "4:1 17:2" is decision 4 taken as 1,
// decision 17 as 2, and all others as 0. Decisions are counted also where a bound, or the
// situation, leaves only one answer: so a schedule means the same under any bounds.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "clock.hpp"

namespace nogil::model {

class Choices {
 public:
  // Depth first: begins with all decisions 0.
  void start_exhaustive() {
    made_.clear();
    mode_ = Mode::kExhaustive;
    rewind();
  }

  // One random execution.
  void start_random(std::uint64_t seed) {
    made_.clear();
    mode_ = Mode::kRandom;
    random_.seed(seed);
    calm_ = 1u << (1 + random_() % 6);  // a surprise in 2, 4, .. 64 decisions
    for (std::uint64_t& rank : ranks_) rank = random_();
    ranked_ = random_() % 2 == 0;
    rewind();
  }

  // What describe() gave.
  void start_replay(const std::string& schedule) {
    made_.clear();
    mode_ = Mode::kReplay;
    const char* at = schedule.c_str();
    for (char* end = nullptr;; at = end) {
      const std::size_t position = std::strtoul(at, &end, 10);
      if (end == at || *end != ':') break;
      at = end + 1;
      made_.resize(position + 1);
      made_[position].taken = static_cast<int>(std::strtol(at, &end, 10));
    }
    rewind();
  }

  // The same decisions once more.
  void rewind() noexcept { position_ = 0; }
  void start_repeat() {
    mode_ = Mode::kReplay;
    rewind();
  }

  // To the next branch of the exhaustive search; false: there is none.
  bool next() {
    while (!made_.empty() && made_.back().taken + 1 == made_.back().of) made_.pop_back();
    if (made_.empty()) return false;
    ++made_.back().taken;
    rewind();
    return true;
  }

  // One of 0 .. of-1. A random execution mostly takes `preferred`.
  int choose(int of, int preferred = 0) {
    if (position_ == made_.size()) made_.push_back({mode_ == Mode::kRandom ? draw(of, preferred) : 0, of});
    Choice& choice = made_[position_++];
    choice.of = of;
    if (choice.taken >= of) choice.taken = of - 1;  // a schedule of another program
    return choice.taken;
  }

  // Half of the random executions rank their threads, and mostly run the first that can
  // run: so one may starve for long. Deadlines that can pass have ranks of their own.
  // (After S. Burckhardt et al., "A randomized scheduler with probabilistic guarantees of
  // finding bugs", 2010.)
  bool ranked() const noexcept { return mode_ == Mode::kRandom && ranked_; }
  std::uint64_t rank(std::size_t thread) const noexcept { return ranks_[thread]; }
  std::uint64_t rank_of_deadline(std::size_t thread) const noexcept { return ranks_[kThreads + thread]; }

  std::string describe() const {
    std::string text;
    for (std::size_t i = 0; i < position_; ++i) {
      if (made_[i].taken == 0) continue;
      text += (text.empty() ? "" : " ") + std::to_string(i) + ":" + std::to_string(made_[i].taken);
    }
    return text;
  }

 private:
  enum class Mode { kExhaustive, kRandom, kReplay };

  struct Choice {
    int taken = 0;
    int of = 0;
  };

  int draw(int of, int preferred) {
    if (of == 1 || random_() % calm_ != 0) return preferred;
    return static_cast<int>(random_() % static_cast<std::uint64_t>(of));
  }

  Mode mode_ = Mode::kExhaustive;
  std::vector<Choice> made_;
  std::size_t position_ = 0;
  std::uint64_t calm_ = 2;
  std::array<std::uint64_t, 2 * kThreads> ranks_{};
  bool ranked_ = false;
  std::mt19937_64 random_;
};

}  // namespace nogil::model
