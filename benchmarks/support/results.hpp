// benchmarks/support/results.hpp -- what was measured, and what it says.
//
//   Sample    one hold of one rival in one case
//   Holds     all of its holds, and their medians
//   Contest   a case with one number of threads
//   Row       a contest and one of its goals (or none): who won, and whether the goal is met
//   Results   all that a run has measured; rows() is what tables, JSON and pictures show
//
// Void holds (measure.hpp) are left out; a row that has no others is marked, not judged.

#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cases.hpp"
#include "support/table.hpp"

namespace bench {

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Times in ns. The last four are there in cases that leave such counters.
struct Sample {
  double ns = 0;
  bool is_void = false;
  std::optional<double> cpu_per_wall = {};
  std::optional<double> share = {};
  std::optional<double> p50 = {};
  std::optional<double> p99 = {};
  std::optional<double> worst = {};
};

// One rival in one case. Void samples are looked at only when there are no others.
class Holds {
 public:
  void add(const Sample& sample) { (sample.is_void ? void_ : good_).push_back(sample); }
  void fail(const std::string& error) { error_ = error; }

  const std::string& error() const { return error_; }
  bool measured() const { return error_.empty() && !samples().empty(); }
  bool all_void() const { return good_.empty(); }
  std::size_t good() const { return good_.size(); }
  std::size_t voided() const { return void_.size(); }
  const std::vector<Sample>& samples() const { return good_.empty() ? void_ : good_; }

  // Of what was measured(). What a case does not measure is 0.
  double time() const {
    std::vector<double> times;
    for (const Sample& sample : samples()) times.push_back(sample.ns);
    return median(std::move(times));
  }
  double cpu() const { return middle(&Sample::cpu_per_wall).value_or(0); }
  std::optional<double> share() const { return middle(&Sample::share); }
  std::optional<double> p50() const { return middle(&Sample::p50); }
  std::optional<double> p99() const { return middle(&Sample::p99); }
  std::optional<double> worst() const {
    std::optional<double> most;
    for (const Sample& sample : samples()) most = std::max(most, sample.worst);
    return most;
  }
  double spread() const {
    const auto [least, most] = std::minmax_element(samples().begin(), samples().end(),
                                                   [](const Sample& a, const Sample& b) { return a.ns < b.ns; });
    return least->ns > 0 ? most->ns / least->ns : 1;
  }

 private:
  std::optional<double> middle(std::optional<double> Sample::*member) const {
    std::vector<double> values;
    for (const Sample& sample : samples()) {
      if (sample.*member) values.push_back(*(sample.*member));
    }
    return values.empty() ? std::nullopt : std::optional(median(std::move(values)));
  }

  std::vector<Sample> good_;
  std::vector<Sample> void_;
  std::string error_;
};

// Largest / smallest ratio of ours to the peer, hold by hold: their holds took turns.
inline double ratio_spread(const Holds& ours, const Holds& peer) {
  const std::size_t pairs = std::min(ours.samples().size(), peer.samples().size());
  double least = 0;
  double most = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    const double ratio = ours.samples()[i].ns / peer.samples()[i].ns;
    least = i == 0 ? ratio : std::min(least, ratio);
    most = std::max(most, ratio);
  }
  return least > 0 ? most / least : 1;
}

struct Contest {
  const Case* of;
  int threads;  // 0: the case has no argument
  std::string name;

  std::string key(const Rival& rival) const {
    const std::string plain = benchmark_name(of->name, rival.name);
    return threads == 0 ? plain : plain + "/" + std::to_string(threads);
  }
};

inline std::vector<Contest> contests() {
  std::vector<Contest> all;
  for (const Case& one : all_cases()) {
    if (one.rivals.empty()) continue;
    if (one.setup.threads.empty()) all.push_back({&one, 0, one.name});
    for (const int threads : one.setup.threads) {
      all.push_back({&one, threads, one.name + "/" + std::to_string(threads)});
    }
  }
  return all;
}

struct Peer {
  std::string name;
  const Holds* holds = nullptr;
};

// In the order of the table.
enum class Verdict { kMissed, kVoid, kNotMeasured, kSlower, kMet, kNoGoal };

inline const char* verdict_text(Verdict verdict) {
  constexpr const char* kTexts[] = {"MISSED", "void", "open", "slower", "met", "-"};
  return kTexts[static_cast<std::size_t>(verdict)];
}

inline std::string goal_text(const Goal& goal) {
  const std::string bound = ratio_text(goal.bound);
  switch (goal.of) {
    case Goal::Of::kTime:
      return "time <= " + bound + " " + goal.peer + (goal.plus_ns > 0 ? " + " + time_text(goal.plus_ns) : "");
    case Goal::Of::kThroughput:
      return "rate >= " + bound + " " + goal.peer;
    case Goal::Of::kCpu:
      return "cpu/wall <= " + bound;
    case Goal::Of::kShare:
      break;
  }
  return "share >= " + bound;
}

struct Row {
  Contest contest;
  const Goal* goal = nullptr;       // or none
  const Holds* ours = nullptr;      // or not measured
  Peer best = {};                   // the fastest that can sleep
  Peer standard = {};               // the first named std::
  std::optional<double> reached{};  // how far ours goes towards the goal
  Verdict verdict = Verdict::kNoGoal;

  std::optional<double> ratio_to(const Peer& peer) const {
    if (ours == nullptr || peer.holds == nullptr) return std::nullopt;
    return ours->time() / peer.holds->time();
  }
};

class Results {
 public:
  void add(const std::string& name, const Sample& sample) { holds_[name].add(sample); }
  void fail(const std::string& name, const std::string& error) { holds_[name].fail(error); }

  const std::map<std::string, Holds>& holds() const { return holds_; }

  const Holds* find(const Contest& contest, const Rival& rival) const {
    const auto found = holds_.find(contest.key(rival));
    return found == holds_.end() || !found->second.measured() ? nullptr : &found->second;
  }

  bool has_voids(const Contest& contest, std::size_t wanted) const {
    return std::any_of(contest.of->rivals.begin(), contest.of->rivals.end(), [&](const Rival& rival) {
      const Holds* const holds = find(contest, rival);
      return holds != nullptr && holds->voided() > 0 && holds->good() < wanted;
    });
  }

  // Those that were lost first.
  std::vector<Row> rows() const {
    std::vector<Row> all;
    for (const Contest& contest : contests()) {
      const bool tried = std::any_of(contest.of->rivals.begin(), contest.of->rivals.end(),
                                     [&](const Rival& rival) { return holds_.contains(contest.key(rival)); });
      if (!tried) continue;
      const std::size_t before = all.size();
      for (const Goal& goal : contest.of->setup.goals) {
        if (contest.threads >= goal.from_threads) all.push_back(row(contest, &goal));
      }
      if (all.size() == before) all.push_back(row(contest, nullptr));
    }
    std::stable_sort(all.begin(), all.end(), [](const Row& a, const Row& b) { return a.verdict < b.verdict; });
    return all;
  }

 private:
  static bool is_ours(const Rival& rival) { return rival.name.starts_with("nogil"); }

  // The peer of this name, if it was measured; kBestPeer: the fastest that can sleep.
  Peer peer(const Contest& contest, std::string_view name) const {
    Peer best;
    for (const Rival& rival : contest.of->rivals) {
      const Holds* const holds = find(contest, rival);
      if (holds == nullptr || (is_ours(rival) && rival.name != name)) continue;
      if (rival.name == name) return {rival.name, holds};
      if (name != kBestPeer || rival.only_spins) continue;
      const auto rank = [](const Holds& of) { return std::pair(of.all_void(), of.time()); };
      if (best.holds == nullptr || rank(*holds) < rank(*best.holds)) best = {rival.name, holds};
    }
    return best;
  }

  Peer std_peer(const Contest& contest) const {
    for (const Rival& rival : contest.of->rivals) {
      if (rival.name.starts_with("std::")) return peer(contest, rival.name);
    }
    return {};
  }

  static bool met(const Goal& goal, double figure) {
    const bool less_is_better = goal.of == Goal::Of::kTime || goal.of == Goal::Of::kCpu;
    return less_is_better ? figure <= goal.bound : figure >= goal.bound;
  }

  Row row(const Contest& contest, const Goal* goal) const {
    Row row{.contest = contest,
            .goal = goal,
            .ours = find(contest, contest.of->rivals.front()),
            .best = peer(contest, kBestPeer),
            .standard = std_peer(contest)};
    bool is_void = row.ours != nullptr && row.ours->all_void();
    if (row.ours != nullptr && goal != nullptr) {
      if (goal->of == Goal::Of::kShare) row.reached = row.ours->share();
      else if (goal->of == Goal::Of::kCpu) row.reached = row.ours->cpu();
      else if (const Peer against = peer(contest, goal->peer); against.holds != nullptr) {
        const double ratio = (row.ours->time() - goal->plus_ns) / against.holds->time();
        row.reached = goal->of == Goal::Of::kTime ? ratio : 1 / ratio;
        is_void |= against.holds->all_void();
      }
    }
    if (is_void) row.verdict = Verdict::kVoid;
    else if (row.reached) row.verdict = met(*goal, *row.reached) ? Verdict::kMet : Verdict::kMissed;
    else if (row.ours == nullptr || goal != nullptr) row.verdict = Verdict::kNotMeasured;
    else if (row.ratio_to(row.best) > 1.0) row.verdict = Verdict::kSlower;
    return row;
  }

  std::map<std::string, Holds> holds_;
};

}  // namespace bench
