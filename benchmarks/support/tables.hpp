// benchmarks/support/tables.hpp -- the results as tables for people.

#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "support/cases.hpp"
#include "support/results.hpp"
#include "support/table.hpp"

namespace bench {

inline std::string ratio_or_dash(std::optional<double> ratio) {
  return ratio ? ratio_text(*ratio) : "-";
}

inline std::string time_or_dash(std::optional<double> ns) {
  return ns ? time_text(*ns) : "-";
}

// One row for each goal, the rows that were lost first.
inline void print_goals(std::ostream& out, const Results& results, bool markdown) {
  const std::vector<Row> rows = results.rows();
  if (rows.empty()) return;
  Table table({"goal", "module", "case", "ours", "best peer", "ours/best", "spread", "ours/std", "cpu/wall", "best's",
               "share", "best's", "wanted", "reached"});
  for (const Row& row : rows) {
    const auto of = [](const Holds* holds, const auto& as_text) { return holds != nullptr ? as_text(*holds) : "-"; };
    const auto cpu = [](const Holds& holds) { return text("%.2f", holds.cpu()); };
    const auto share = [](const Holds& holds) { return ratio_or_dash(holds.share()); };
    const bool compared = row.ours != nullptr && row.best.holds != nullptr;
    table.add(
        {verdict_text(row.verdict), row.contest.of->module, row.contest.name,
         of(row.ours, [](const Holds& holds) { return time_text(holds.time()); }),
         of(row.best.holds, [&](const Holds& holds) { return time_text(holds.time()) + " " + row.best.name; }),
         ratio_or_dash(row.ratio_to(row.best)), compared ? text("%.2f", ratio_spread(*row.ours, *row.best.holds)) : "-",
         ratio_or_dash(row.ratio_to(row.standard)), of(row.ours, cpu), of(row.best.holds, cpu), of(row.ours, share),
         of(row.best.holds, share), row.goal != nullptr ? goal_text(*row.goal) : "-", ratio_or_dash(row.reached)});
  }
  out << "\nMedians of the holds, the rows that were lost first.\n\n"
         "  goal             slower: there is none, and a peer won. void: ours or the goal's peer was measured while\n"
         "                   the machine was busy with other things. open: ours or that peer is missing.\n"
         "  spread           of ours/best: the largest / the smallest, hold by hold\n"
         "  cpu/wall, share  ours, then the best peer's; share: turns of the slowest thread / of the fastest\n\n";
  table.print(out, markdown);
  const auto count = [&rows](Verdict verdict) {
    return static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [verdict](const Row& row) { return row.verdict == verdict; }));
  };
  out << '\n'
      << count(Verdict::kMet) << " goals met, " << count(Verdict::kMissed) << " missed, " << count(Verdict::kVoid)
      << " void, " << count(Verdict::kNotMeasured) << " not measured; " << rows.size() << " rows.\n";
}

// Every rival of every case, the fastest first.
inline void print_medians(std::ostream& out, const Results& results, bool markdown) {
  Table table({"case", "rival", "time", "cpu/wall", "max/min", "share", "holds"});
  for (const Contest& contest : contests()) {
    std::vector<std::pair<const Rival*, const Holds*>> ranking;
    for (const Rival& rival : contest.of->rivals) {
      if (const Holds* const holds = results.find(contest, rival)) ranking.push_back({&rival, holds});
    }
    std::sort(ranking.begin(), ranking.end(),
              [](const auto& a, const auto& b) { return a.second->time() < b.second->time(); });
    for (const auto& [rival, holds] : ranking) {
      table.add({contest.name, rival->name + (rival->only_spins ? " (only spins)" : ""), time_text(holds->time()),
                 text("%.2f", holds->cpu()), text("%.2f", holds->spread()), ratio_or_dash(holds->share()),
                 holds->all_void() ? "void" : std::to_string(holds->good())});
    }
  }
  out << "\nAll medians:\n\n";
  table.print(out, markdown);
}

// Of the cases that look at each turn on its own.
inline void print_latencies(std::ostream& out, const Results& results, bool markdown) {
  Table table({"latency", "rival", "mean", "median", "99 %", "worst"});
  bool any = false;
  for (const Contest& contest : contests()) {
    for (const Rival& rival : contest.of->rivals) {
      const Holds* const holds = results.find(contest, rival);
      if (holds == nullptr || !holds->p50()) continue;
      table.add({contest.name, rival.name, time_text(holds->time()), time_or_dash(holds->p50()),
                 time_or_dash(holds->p99()), time_or_dash(holds->worst())});
      any = true;
    }
  }
  if (!any) return;
  out << '\n';
  table.print(out, markdown);
}

inline void print_sizes(std::ostream& out, const std::vector<Size>& sizes, bool markdown) {
  if (sizes.empty()) return;
  Table table({"size of", "bytes", "wanted"});
  for (const Size& size : sizes) {
    const std::size_t bytes = size.bytes();
    table.add({size.name, std::to_string(bytes),
               size.at_most == 0 ? "-" : text("<= %zu%s", size.at_most, bytes <= size.at_most ? "" : " MISSED")});
  }
  out << '\n';
  table.print(out, markdown);
}

inline void print_notes(std::ostream& out, const Results& results) {
  std::size_t good = 0;
  std::size_t voided = 0;
  for (const auto& [name, holds] : results.holds()) {
    good += holds.good();
    voided += holds.voided();
  }
  out << "\nHolds: " << good << " counted, " << voided
      << " void because the machine was busy with other things (support/measure.hpp).\n";
  if (!absent_rivals().empty()) {
    out << "Rivals that are not installed, so that their rows are missing:";
    for (const std::string& name : absent_rivals()) out << ' ' << name;
    out << '\n';
  }
  for (const auto& [name, holds] : results.holds()) {
    if (!holds.error().empty()) out << "WRONG: " << name << ": " << holds.error() << '\n';
  }
}

}  // namespace bench
