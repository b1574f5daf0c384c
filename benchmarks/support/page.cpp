// support/page.cpp -- the results as a page: one HTML file, its charts drawn as SVG.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/report.hpp"
#include "support/table.hpp"

namespace bench {
namespace {

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>nogil: benchmarks</title>
<style>
:root { --ink: #1c2430; --soft: #5d6978; --line: #d8dee6; --ours: #1769aa; --lost: #c2410c; --peer: #9aa5b1; --page: #fff; }
@media (prefers-color-scheme: dark) { @media screen {
  :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #38424f; --ours: #5aa9e6; --lost: #f58b57; --peer: #6b7785; --page: #151a21; } } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); } h3 { margin-bottom: 0; font-size: 1rem; }
p.note, figcaption { color: var(--soft); } figure { margin: 1rem 0; break-inside: avoid; }
table { border-collapse: collapse; font-size: 13px; width: 100%; } td, th { text-align: left; padding: 2px 8px; border-bottom: 1px solid var(--line); }
td.w { white-space: nowrap; } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } .scroll { overflow-x: auto; }
.lost { color: var(--lost); font-weight: 600; } svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); } svg .grid { stroke: var(--line); } svg .one { stroke: var(--ink); stroke-dasharray: 4 3; }
.pair { display: grid; grid-template-columns: repeat(auto-fill, minmax(440px, 1fr)); gap: 1rem 2rem; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
</style></head><body>
)";

std::string escaped(std::string_view plain) {
  std::string safe;
  for (const char letter : plain) {
    if (letter == '<') safe += "&lt;";
    else if (letter == '>') safe += "&gt;";
    else if (letter == '&') safe += "&amp;";
    else if (letter == '"') safe += "&quot;";
    else safe += letter;
  }
  return safe;
}

std::string shortened(const std::string& plain, std::size_t most) {
  return plain.size() <= most ? plain : plain.substr(0, most - 1) + "\u2026";
}

// A logarithmic axis from `low` to `high`, drawn from `from` to `to`.
class LogAxis {
 public:
  LogAxis(double low, double high, double from, double to)
      : low_(std::log10(low)), high_(std::max(std::log10(high), low_ + 0.1)), from_(from), to_(to) {}

  double at(double value) const {
    const double part = (std::log10(std::max(value, 1e-12)) - low_) / (high_ - low_);
    return from_ + std::clamp(part, 0.0, 1.0) * (to_ - from_);
  }
  // Powers of ten; where there is but one or none of them, also twice and five times these.
  std::vector<double> ticks() const {
    std::vector<double> all = between({1});
    return all.size() > 1 ? all : between({1, 2, 5});
  }

 private:
  std::vector<double> between(std::initializer_list<double> steps) const {
    std::vector<double> all;
    for (int power = static_cast<int>(std::floor(low_)); power <= high_; ++power) {
      for (const double step : steps) {
        const double tick = step * std::pow(10, power);
        if (std::log10(tick) > low_ - 1e-9 && std::log10(tick) < high_ + 1e-9) all.push_back(tick);
      }
    }
    return all;
  }

  double low_;
  double high_;
  double from_;
  double to_;
};

// Each contest once: the rows of its other goals say nothing more of who was faster.
std::vector<Row> one_for_each_contest(const std::vector<Row>& rows, const std::string& module) {
  std::vector<Row> chosen;
  std::set<std::string> seen;
  for (const Contest& contest : contests()) {
    if (contest.of->module != module) continue;
    for (const Row& row : rows) {
      if (row.contest.name == contest.name && seen.insert(contest.name).second) chosen.push_back(row);
    }
  }
  return chosen;
}

// ---- Ratios --------------------------------------------------------------------------

// A bar from 1 to the left is how much less time than the best peer ours took.
std::string ratio_bars(const std::vector<Row>& rows) {
  std::vector<const Row*> shown;
  double least = 0.5;
  double most = 2;
  for (const Row& row : rows) {
    const std::optional<double> ratio = row.ratio_to(row.best);
    if (!ratio) continue;
    shown.push_back(&row);
    least = std::min(least, *ratio);
    most = std::max(most, *ratio);
  }
  if (shown.empty()) return "";
  constexpr double kLeft = 300;
  constexpr double kRight = 700;
  constexpr double kStep = 22;
  const LogAxis axis(std::max(least, 1e-4), std::min(most, 1e3), kLeft, kRight);
  const double bottom = 20 + kStep * static_cast<double>(shown.size());
  std::ostringstream svg;
  svg << "<svg viewBox='0 0 1000 " << bottom + 20 << "' role='img'>";
  for (const double tick : axis.ticks()) {
    svg << "<line class='grid' x1='" << axis.at(tick) << "' x2='" << axis.at(tick) << "' y1='12' y2='" << bottom
        << "'/><text class='soft' text-anchor='middle' x='" << axis.at(tick) << "' y='" << bottom + 14 << "'>"
        << text("%g", tick) << "</text>";
  }
  double y = 16;
  for (const Row* const row : shown) {
    const double ratio = *row->ratio_to(row->best);
    const double one = axis.at(1);
    const double end = axis.at(ratio);
    svg << "<text text-anchor='end' x='" << kLeft - 8 << "' y='" << y + 13 << "'>"
        << escaped(shortened(row->contest.name, 42)) << "</text><rect x='" << std::min(one, end) << "' y='" << y + 2
        << "' height='14' width='" << std::max(1.0, std::abs(end - one)) << "' rx='2' fill='var(--"
        << (ratio <= 1 ? "ours" : "lost") << ")'" << (row->verdict == Verdict::kVoid ? " opacity='.35'" : "")
        << "/><text x='" << kRight + 12 << "' y='" << y + 13 << "'>" << ratio_text(ratio)
        << "</text><text class='soft' x='" << kRight + 56 << "' y='" << y + 13 << "'>"
        << escaped(shortened(row->best.name, 32)) << "</text>";
    y += kStep;
  }
  svg << "<line class='one' x1='" << axis.at(1) << "' x2='" << axis.at(1) << "' y1='12' y2='" << bottom << "'/></svg>";
  return svg.str();
}

// ---- Scaling -------------------------------------------------------------------------

constexpr const char* kColours[] = {"var(--ours)", "#d97706", "#059669", "#9333ea", "#dc2626",
                                    "#0891b2",     "#a16207", "#db2777", "#65a30d", "#64748b"};

// Time of each rival over the number in the cases' names.
std::string scaling(const Case& of, const Results& results) {
  struct Line {
    const Rival* rival;
    std::vector<std::pair<int, double>> points;
  };
  std::vector<Line> lines;
  double least = 1e300;
  double most = 0;
  for (const Rival& rival : of.rivals) {
    Line line{&rival, {}};
    for (const int threads : of.setup.threads) {
      const Holds* const holds = results.find({&of, threads, ""}, rival);
      if (holds == nullptr) continue;
      line.points.push_back({threads, holds->time()});
      least = std::min(least, holds->time());
      most = std::max(most, holds->time());
    }
    if (line.points.size() > 1) lines.push_back(std::move(line));
  }
  if (lines.empty()) return "";
  constexpr double kBottom = 190;
  const auto [fewest, largest] = std::minmax_element(of.setup.threads.begin(), of.setup.threads.end());
  const LogAxis x(*fewest, *largest, 80, 290);
  const LogAxis y(least / 1.2, most * 1.2, kBottom, 10);
  std::ostringstream svg;
  svg << "<figure><h3>" << escaped(of.name) << "</h3><svg viewBox='0 0 520 225' role='img'>";
  for (const double tick : y.ticks()) {
    svg << "<line class='grid' x1='80' x2='290' y1='" << y.at(tick) << "' y2='" << y.at(tick)
        << "'/><text class='soft' text-anchor='end' x='74' y='" << y.at(tick) + 4 << "'>" << time_text(tick)
        << "</text>";
  }
  for (const int threads : of.setup.threads) {
    svg << "<text class='soft' text-anchor='middle' x='" << x.at(threads) << "' y='" << kBottom + 16 << "'>" << threads
        << "</text>";
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* const colour = kColours[i % std::size(kColours)];
    svg << "<polyline fill='none' stroke='" << colour << "' stroke-width='" << (i == 0 ? 3 : 1.5) << "' points='";
    for (const auto& [threads, ns] : lines[i].points) svg << x.at(threads) << ',' << y.at(ns) << ' ';
    svg << "'/>";
    for (const auto& [threads, ns] : lines[i].points) {
      svg << "<circle r='3' fill='" << colour << "' cx='" << x.at(threads) << "' cy='" << y.at(ns) << "'/>";
    }
    const double at = 22 + 17 * static_cast<double>(i);
    svg << "<rect x='310' y='" << at - 9 << "' width='12' height='10' fill='" << colour << "'/><text x='328' y='" << at
        << "'>" << escaped(shortened(lines[i].rival->name, 30)) << "</text>";
  }
  svg << "</svg></figure>";
  return svg.str();
}

// ---- Latencies -----------------------------------------------------------------------

// From the median to the worst turn, with a mark at the 99th percentile.
std::string latencies(const Contest& contest, const Results& results) {
  struct Entry {
    const Rival* rival;
    double p50;
    double p99;
    double worst;
  };
  std::vector<Entry> entries;
  double least = 1e300;
  double most = 0;
  for (const Rival& rival : contest.of->rivals) {
    const Holds* const holds = results.find(contest, rival);
    if (holds == nullptr || !holds->p50() || !holds->p99() || !holds->worst()) continue;
    entries.push_back({&rival, *holds->p50(), *holds->p99(), *holds->worst()});
    least = std::min(least, *holds->p50());
    most = std::max(most, *holds->worst());
  }
  if (entries.empty()) return "";
  const LogAxis axis(least / 1.5, most * 1.5, 300, 960);
  const double bottom = 14 + 22 * static_cast<double>(entries.size());
  std::ostringstream svg;
  svg << "<figure><h3>" << escaped(contest.name) << "</h3><svg viewBox='0 0 1000 " << bottom + 22 << "' role='img'>";
  for (const double tick : axis.ticks()) {
    svg << "<line class='grid' x1='" << axis.at(tick) << "' x2='" << axis.at(tick) << "' y1='6' y2='" << bottom
        << "'/><text class='soft' text-anchor='middle' x='" << axis.at(tick) << "' y='" << bottom + 16 << "'>"
        << time_text(tick) << "</text>";
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    const double y = 20 + 22 * static_cast<double>(i);
    const char* const colour = i == 0 ? "var(--ours)" : "var(--peer)";
    svg << "<text text-anchor='end' x='290' y='" << y + 4 << "'>" << escaped(shortened(entry.rival->name, 40))
        << "</text><line stroke='" << colour << "' stroke-width='2' x1='" << axis.at(entry.p50) << "' x2='"
        << axis.at(entry.worst) << "' y1='" << y << "' y2='" << y << "'/><circle r='6' fill='" << colour << "' cx='"
        << axis.at(entry.p50) << "' cy='" << y << "'/><rect width='4' height='14' fill='" << colour << "' x='"
        << axis.at(entry.p99) - 2 << "' y='" << y - 7 << "'/><circle r='3' fill='" << colour << "' cx='"
        << axis.at(entry.worst) << "' cy='" << y << "'/>";
  }
  svg << "</svg></figure>";
  return svg.str();
}

// ---- The table -----------------------------------------------------------------------

std::string table_of(const std::vector<Row>& rows) {
  std::ostringstream html;
  html << "<div class='scroll'><table><tr><th>goal<th>module<th>case<th>ours<th>best peer<th><th>ratio<th>spread"
          "<th>cpu/wall<th>wanted<th>reached</tr>\n";
  for (const Row& row : rows) {
    const bool lost = row.verdict == Verdict::kMissed || row.verdict == Verdict::kSlower;
    const auto ratio = row.ratio_to(row.best);
    const auto cell = [&html](const std::string& content) { html << "<td class=n>" << content << "</td>"; };
    html << "<tr><td" << (lost ? " class=lost" : "") << '>' << verdict_text(row.verdict) << "</td><td>"
         << escaped(row.contest.of->module) << "</td><td>" << escaped(row.contest.name) << "</td>";
    cell(row.ours != nullptr ? time_text(row.ours->time()) : "-");
    cell(row.best.holds != nullptr ? time_text(row.best.holds->time()) : "-");
    html << "<td>" << escaped(row.best.name) << "</td>";
    cell(ratio ? ratio_text(*ratio) : "-");
    cell(ratio ? text("%.2f", ratio_spread(*row.ours, *row.best.holds)) : "-");
    cell(row.ours != nullptr ? text("%.2f", row.ours->cpu()) : "-");
    html << "<td class=w>" << (row.goal != nullptr ? escaped(goal_text(*row.goal)) : "") << "</td>";
    cell(row.reached ? ratio_text(*row.reached) : "");
    html << "</tr>\n";
  }
  html << "</table></div>\n";
  return html.str();
}

}  // namespace

void write_page(const Report& report, const std::string& folder) {
  const std::vector<Row> rows = report.results.rows();
  const Machine& machine = report.machine;
  std::ostringstream html;
  html << kHead << "<h1>nogil: benchmarks</h1>\n<p class=note>" << escaped(machine.cpu) << ", " << machine.cores
       << " cores, " << escaped(machine.kernel) << ", " << escaped(machine.compiler) << ", " << escaped(machine.date)
       << ". Two threads that only count got " << text("%.2f", machine.control) << " cores.";
  for (const std::string& objection : machine.objections())
    html << " <span class=lost>" << escaped(objection) << ".</span>";
  const auto count = [&rows](Verdict verdict) {
    return std::count_if(rows.begin(), rows.end(), [verdict](const Row& row) { return row.verdict == verdict; });
  };
  html << "</p>\n<p><b>" << count(Verdict::kMet) << "</b> goals met, <b>" << count(Verdict::kMissed) << "</b> missed, "
       << count(Verdict::kSlower) << " cases without a goal where a peer was faster.</p>\n";

  std::set<std::string> modules;
  for (const Row& row : rows) modules.insert(row.contest.of->module);
  for (const std::string& module : modules) {
    html << "<h2>" << escaped(module) << "</h2>\n";
    const std::string bars = ratio_bars(one_for_each_contest(rows, module));
    if (!bars.empty()) {
      html << "<figure><figcaption>Time of ours / time of the best peer, which is named beside it. A bar to the left "
              "of the line: ours is faster. Pale bars were measured on a busy machine.</figcaption>"
           << bars << "</figure>\n";
    }
    std::string lines;
    std::string delays;
    for (const Case& one : all_cases()) {
      if (one.module == module) lines += scaling(one, report.results);
    }
    for (const Contest& contest : contests()) {
      if (contest.of->module == module) delays += latencies(contest, report.results);
    }
    if (!lines.empty())
      html << "<p class=note>Time of a turn over the number behind the slash (of threads, workers, connections, ranks "
              "or bytes):</p><div class=pair>"
           << lines << "</div>\n";
    if (!delays.empty()) {
      html << "<p class=note>The median turn (large dot), the 99th percentile (bar), the worst (small dot):</p>"
           << delays << '\n';
    }
  }
  html << "<h2>All rows</h2>\n<p class=note>Those that were lost first.</p>\n" << table_of(rows);
  if (!report.sizes.empty()) {
    html << "<h2>Sizes</h2>\n<table><tr><th>module<th>of<th>bytes<th>wanted</tr>\n";
    for (const Size& size : report.sizes) {
      html << "<tr><td>" << escaped(size.module) << "</td><td>" << escaped(size.name) << "</td><td class=n>"
           << size.bytes() << "</td><td class=n>" << (size.at_most != 0 ? text("&le; %zu", size.at_most) : "")
           << "</td></tr>\n";
    }
    html << "</table>\n";
  }
  html << "</body></html>\n";

  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  const std::string path = folder + "/index.html";
  std::ofstream file(path);
  file << html.str();
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace bench
