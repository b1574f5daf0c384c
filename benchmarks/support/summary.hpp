// benchmarks/support/summary.hpp -- who won: the tables behind the last benchmark.
//
// A reporter that shows each case as Google Benchmark does, by the format asked for, and
// collects the holds (single repetitions) meanwhile. At the end it prints medians side by
// side, one row for each goal, the rows that were lost first. Void holds (measure.hpp)
// are left out; a row that has no others is marked and not judged.

#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "support/cases.hpp"
#include "support/measure.hpp"
#include "support/table.hpp"

namespace bench {

// What went wrong in a run, or nothing. Google Benchmark 1.8 has other names than 1.7.
template <class Run>
std::string error_of(const Run& run) {
  if constexpr (requires { run.error_occurred; }) return run.error_occurred ? run.error_message : "";
  else return run.skipped != decltype(run.skipped){} ? run.skip_message : "";
}

// ---- Collecting ----------------------------------------------------------------------

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// One rival in one case: its holds, and their medians. Void holds are kept apart, and
// looked at only when there are no others.
class Holds {
 public:
  void add(bool is_void, double ns, std::optional<double> cpu_per_wall, std::optional<double> share) {
    Samples& samples = is_void ? void_ : good_;
    samples.times.push_back(ns);
    if (cpu_per_wall) samples.cpu_per_wall.push_back(*cpu_per_wall);
    if (share) samples.shares.push_back(*share);
  }
  void fail(const std::string& error) { error_ = error; }

  const std::string& error() const { return error_; }
  bool measured() const { return error_.empty() && !samples().times.empty(); }
  bool all_void() const { return good_.times.empty(); }
  std::size_t good() const { return good_.times.size(); }
  std::size_t voided() const { return void_.times.size(); }

  // Of what was measured().
  double time() const { return median(samples().times); }
  double cpu() const { return samples().cpu_per_wall.empty() ? 0 : median(samples().cpu_per_wall); }
  bool has_share() const { return !samples().shares.empty(); }
  double share() const { return has_share() ? median(samples().shares) : 0; }
  double spread() const {
    const auto [least, most] = std::minmax_element(samples().times.begin(), samples().times.end());
    return *least > 0 ? *most / *least : 1;
  }

 private:
  struct Samples {
    std::vector<double> times;  // in ns
    std::vector<double> cpu_per_wall;
    std::vector<double> shares;
  };

  const Samples& samples() const { return good_.times.empty() ? void_ : good_; }

  Samples good_;
  Samples void_;
  std::string error_;
};

class Summary : public benchmark::BenchmarkReporter {
 public:
  // `machine_readable`: the format asked for is not for people, so all of it is shown,
  // and the tables go to the stream for errors.
  Summary(bool machine_readable, bool markdown)
      : shown_(*benchmark::CreateDefaultDisplayReporter()), machine_readable_(machine_readable), markdown_(markdown) {}

  bool ReportContext(const Context& context) override {
    shown_.SetOutputStream(&GetOutputStream());
    shown_.SetErrorStream(&GetErrorStream());
    return shown_.ReportContext(context);
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> shown;
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration) collect(run);
      const bool only_one_of_many = run.repetitions > 1 && run.aggregate_name != "median";
      if (!machine_readable_ && only_one_of_many && error_of(run).empty()) continue;
      // Names read case<Rival>/threads.
      shown.push_back(run);
      shown.back().run_name.iterations.clear();
      shown.back().run_name.time_type.clear();
      shown.back().run_name.repetitions.clear();
    }
    if (!shown.empty()) shown_.ReportRuns(shown);
  }

  void Finalize() override { shown_.Finalize(); }

  // Prints the tables. Returns whether every rival did what its case is about.
  bool print() const {
    if (holds_.empty()) return true;
    std::ostream& out = machine_readable_ ? GetErrorStream() : GetOutputStream();
    print_goals(out);
    if (markdown_) print_medians(out);
    print_sizes(out);
    print_notes(out);
    for (const auto& [name, holds] : holds_) {
      if (!holds.error().empty()) out << "WRONG: " << name << ": " << holds.error() << '\n';
    }
    return std::all_of(holds_.begin(), holds_.end(), [](const auto& entry) { return entry.second.error().empty(); });
  }

 private:
  void collect(const Run& run) {
    std::string name = run.run_name.function_name;
    if (!run.run_name.args.empty()) name += "/" + run.run_name.args;
    Holds& holds = holds_[name];
    if (const std::string error = error_of(run); !error.empty()) {
      holds.fail(error);
      return;
    }
    const auto counter = [&run](const char* key) -> std::optional<double> {
      const auto found = run.counters.find(key);
      if (found == run.counters.end()) return std::nullopt;
      return found->second.value;
    };
    holds.add(counter("void").value_or(0) > 0, run.real_accumulated_time * 1e9 / static_cast<double>(run.iterations),
              counter("cpu_wall"), counter("share"));
  }

  // A case with one number of threads, and the medians of its rivals.
  struct Contest {
    const Case* of;
    int threads;  // 0: the case has no argument
    std::string name;

    std::string key(const Rival& rival) const {
      const std::string plain = benchmark_name(of->name, rival.name);
      return threads == 0 ? plain : plain + "/" + std::to_string(threads);
    }
  };

  static std::vector<Contest> contests() {
    std::vector<Contest> all;
    for (const Case& one : all_cases()) {
      if (one.setup.threads.empty()) all.push_back({&one, 0, one.name});
      for (const int threads : one.setup.threads) {
        all.push_back({&one, threads, one.name + "/" + std::to_string(threads)});
      }
    }
    return all;
  }

  const Holds* find(const Contest& contest, const Rival& rival) const {
    const auto found = holds_.find(contest.key(rival));
    return found == holds_.end() ? nullptr : &found->second;
  }

  static bool is_ours(const Rival& rival) { return rival.name.starts_with("nogil::"); }

  struct Peer {
    std::string name;
    const Holds* holds = nullptr;
  };

  // The peer of this name, if it was measured; kBestPeer: the fastest that can sleep.
  Peer peer(const Contest& contest, const std::string& name) const {
    Peer best;
    for (const Rival& rival : contest.of->rivals) {
      const Holds* const holds = find(contest, rival);
      if (holds == nullptr || !holds->measured() || (is_ours(rival) && rival.name != name)) continue;
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

  // In the order of the table.
  enum class Verdict { kMissed, kVoid, kNotMeasured, kSlower, kMet, kNoGoal };

  struct Row {
    Verdict verdict;
    std::vector<std::string> cells;
  };

  struct Figure {
    bool known = false;
    bool is_void = false;
    double value = 0;
  };

  // How far ours goes towards a goal; unknown when the peer was not measured.
  Figure reached(const Contest& contest, const Goal& goal, const Holds& ours) const {
    if (goal.of == Goal::Of::kShare) return {true, ours.all_void(), ours.share()};
    if (goal.of == Goal::Of::kCpu) return {true, ours.all_void(), ours.cpu()};
    const Peer against = peer(contest, goal.peer);
    if (against.holds == nullptr) return {};
    const double ratio = ours.time() / against.holds->time();
    return {true, ours.all_void() || against.holds->all_void(), goal.of == Goal::Of::kTime ? ratio : 1 / ratio};
  }

  static bool met(const Goal& goal, double figure) {
    const bool less_is_better = goal.of == Goal::Of::kTime || goal.of == Goal::Of::kCpu;
    return less_is_better ? figure <= goal.bound : figure >= goal.bound;
  }

  static std::string wanted_text(const Goal& goal) {
    switch (goal.of) {
      case Goal::Of::kTime:
        return "time <= " + ratio_text(goal.bound) + " " + goal.peer;
      case Goal::Of::kThroughput:
        return "rate >= " + ratio_text(goal.bound) + " " + goal.peer;
      case Goal::Of::kCpu:
        return "cpu/wall <= " + ratio_text(goal.bound);
      case Goal::Of::kShare:
        break;
    }
    return "share >= " + ratio_text(goal.bound);
  }

  Row row(const Contest& contest, const Goal* goal) const {
    const Holds* const found = find(contest, contest.of->rivals.front());
    const Holds* const ours = found != nullptr && found->measured() ? found : nullptr;
    const Peer best = peer(contest, kBestPeer);
    const Figure figure = ours != nullptr && goal != nullptr ? reached(contest, *goal, *ours) : Figure();

    Verdict verdict = Verdict::kNoGoal;
    if (figure.is_void || (ours != nullptr && ours->all_void())) verdict = Verdict::kVoid;
    else if (figure.known) verdict = met(*goal, figure.value) ? Verdict::kMet : Verdict::kMissed;
    else if (ours == nullptr || goal != nullptr) verdict = Verdict::kNotMeasured;
    else if (best.holds != nullptr && ours->time() > best.holds->time()) verdict = Verdict::kSlower;

    const auto ratio_to = [ours](const Peer& other) {
      return ours != nullptr && other.holds != nullptr ? ratio_text(ours->time() / other.holds->time()) : "-";
    };
    const auto of = [](const Holds* holds, const auto& as_text) { return holds != nullptr ? as_text(*holds) : "-"; };
    const auto cpu = [](const Holds& holds) { return text("%.2f", holds.cpu()); };
    const auto share = [](const Holds& holds) { return holds.has_share() ? ratio_text(holds.share()) : "-"; };
    return {verdict,
            {verdict_text(verdict), contest.name, of(ours, [](const Holds& holds) { return time_text(holds.time()); }),
             of(best.holds, [&](const Holds& holds) { return time_text(holds.time()) + " " + best.name; }),
             ratio_to(best), ratio_to(std_peer(contest)), of(ours, cpu), of(best.holds, cpu), of(ours, share),
             of(best.holds, share), of(ours, [](const Holds& holds) { return text("%.2f", holds.spread()); }),
             goal != nullptr ? wanted_text(*goal) : "-", figure.known ? ratio_text(figure.value) : "-"}};
  }

  static std::string verdict_text(Verdict verdict) {
    switch (verdict) {
      case Verdict::kMissed:
        return "MISSED";
      case Verdict::kVoid:
        return "void";
      case Verdict::kNotMeasured:
        return "open";
      case Verdict::kSlower:
        return "slower";
      case Verdict::kMet:
        return "met";
      case Verdict::kNoGoal:
        break;
    }
    return "-";
  }

  void print_goals(std::ostream& out) const {
    std::multimap<Verdict, std::vector<std::string>> rows;
    const auto add = [&](Row one) { rows.emplace(one.verdict, std::move(one.cells)); };
    for (const Contest& contest : contests()) {
      if (contest.of->rivals.empty() || find(contest, contest.of->rivals.front()) == nullptr) continue;
      bool has_goal = false;
      for (const Goal& goal : contest.of->setup.goals) {
        if (contest.threads < goal.from_threads) continue;
        add(row(contest, &goal));
        has_goal = true;
      }
      if (!has_goal) add(row(contest, nullptr));
    }
    if (rows.empty()) return;
    Table table({"goal", "case", "ours", "best peer", "ours/best", "ours/std", "cpu/wall", "best's", "share", "best's",
                 "max/min", "wanted", "reached"});
    for (const auto& [verdict, cells] : rows) table.add(cells);
    out << "\nMedians of the holds, the rows that were lost first.\n\n"
           "  goal             slower: there is none, and a peer won. void: ours or the goal's peer was measured "
           "while\n"
           "                   the machine was busy with other things. open: ours or that peer is missing.\n"
           "  cpu/wall, share  ours, then the best peer's; share: turns of the slowest thread / of the fastest\n"
           "  max/min          of our holds\n\n";
    table.print(out, markdown_);
  }

  // Every rival of every case, the fastest first.
  void print_medians(std::ostream& out) const {
    Table table({"case", "rival", "time", "cpu/wall", "max/min", "share", "holds"});
    for (const Contest& contest : contests()) {
      std::vector<std::pair<const Rival*, const Holds*>> ranking;
      for (const Rival& rival : contest.of->rivals) {
        if (const Holds* const holds = find(contest, rival); holds != nullptr && holds->measured()) {
          ranking.push_back({&rival, holds});
        }
      }
      std::sort(ranking.begin(), ranking.end(),
                [](const auto& a, const auto& b) { return a.second->time() < b.second->time(); });
      for (const auto& [rival, holds] : ranking) {
        table.add({contest.name, rival->name + (rival->only_spins ? " (only spins)" : ""), time_text(holds->time()),
                   text("%.2f", holds->cpu()), text("%.2f", holds->spread()),
                   holds->has_share() ? ratio_text(holds->share()) : "-",
                   holds->all_void() ? "void" : std::to_string(holds->good())});
      }
    }
    out << "\nAll medians:\n\n";
    table.print(out, markdown_);
  }

  void print_sizes(std::ostream& out) const {
    if (all_sizes().empty()) return;
    Table table({"size of", "bytes", "wanted"});
    for (const Size& size : all_sizes()) {
      const std::size_t bytes = size.bytes();
      table.add({size.name, std::to_string(bytes),
                 size.at_most == 0 ? "-" : text("<= %zu%s", size.at_most, bytes <= size.at_most ? "" : " MISSED")});
    }
    out << '\n';
    table.print(out, markdown_);
  }

  void print_notes(std::ostream& out) const {
    std::size_t good = 0;
    std::size_t voided = 0;
    for (const auto& [name, holds] : holds_) {
      good += holds.good();
      voided += holds.voided();
    }
    out << "\nHolds: " << good << " counted, " << voided
        << " void because the machine was busy with other things (support/measure.hpp).\n";
    if (absent_rivals().empty()) return;
    out << "Rivals that are not installed, so that their rows are missing:";
    for (const std::string& name : absent_rivals()) out << ' ' << name;
    out << '\n';
  }

  BenchmarkReporter& shown_;
  bool machine_readable_;
  bool markdown_;
  std::map<std::string, Holds> holds_;
};

}  // namespace bench
