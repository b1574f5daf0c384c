// support/json.cpp -- the results as JSON, and what changed since an earlier one.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/report.hpp"
#include "support/table.hpp"

namespace bench {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

Json machine_json(const Machine& machine) {
  return {{"cpu", machine.cpu},           {"cores", machine.cores},     {"governor", machine.governor},
          {"load", machine.load},         {"control", machine.control}, {"kernel", machine.kernel},
          {"compiler", machine.compiler}, {"date", machine.date}};
}

Json row_json(const Row& row, const Results& results) {
  const Rival& own = row.contest.of->rivals.front();
  Json peers = Json::object();
  Json latency = Json::object();
  for (const Rival& rival : row.contest.of->rivals) {
    const Holds* const holds = results.find(row.contest, rival);
    if (holds == nullptr) continue;
    if (rival.name != own.name) peers[rival.name] = holds->time();
    if (holds->p50()) {
      latency[rival.name] = {
          {"p50", or_null(holds->p50())}, {"p99", or_null(holds->p99())}, {"worst", or_null(holds->worst())}};
    }
  }
  const bool compared = row.ours != nullptr && row.best.holds != nullptr;
  const bool judged = row.verdict == Verdict::kMet || row.verdict == Verdict::kMissed;
  Json json = {{"module", row.contest.of->module},
               {"case", row.contest.name},
               {"ours_ns", row.ours != nullptr ? Json(row.ours->time()) : Json(nullptr)},
               {"peers", std::move(peers)},
               {"best_peer", row.best.holds != nullptr ? Json(row.best.name) : Json(nullptr)},
               {"ratio", or_null(row.ratio_to(row.best))},
               {"spread", compared ? Json(ratio_spread(*row.ours, *row.best.holds)) : Json(nullptr)},
               {"cpu_wall", row.ours != nullptr ? Json(row.ours->cpu()) : Json(nullptr)},
               {"goal", row.goal != nullptr ? Json(goal_text(*row.goal)) : Json(nullptr)},
               {"reached", or_null(row.reached)},
               {"met", judged ? Json(row.verdict == Verdict::kMet) : Json(nullptr)},
               {"void", row.verdict == Verdict::kVoid}};
  if (row.ours != nullptr && row.ours->share()) json["share"] = *row.ours->share();
  if (!latency.empty()) json["latency"] = std::move(latency);
  return json;
}

}  // namespace

void write_json(const Report& report, const std::string& path) {
  Json json = {{"machine", machine_json(report.machine)}, {"cases", Json::array()}, {"sizes", Json::array()}};
  for (const Row& row : report.results.rows()) json["cases"].push_back(row_json(row, report.results));
  for (const Size& size : report.sizes) {
    const std::size_t bytes = size.bytes();
    const bool wanted = size.at_most != 0;
    json["sizes"].push_back({{"module", size.module},
                             {"name", size.name},
                             {"bytes", bytes},
                             {"at_most", wanted ? Json(size.at_most) : Json(nullptr)},
                             {"met", wanted ? Json(bytes <= size.at_most) : Json(nullptr)}});
  }
  json["absent"] = absent_rivals();
  std::ofstream file(path);
  file << json.dump(2) << '\n';
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string compare_with(const Report& report, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  Json earlier;
  try {
    earlier = Json::parse(file);
    if (!earlier.at("cases").is_array()) throw std::runtime_error("no cases");
  } catch (const std::exception& error) {
    throw std::runtime_error(path + " is not what --json writes: " + error.what());
  }

  // The ratios of each case to each of its peers, then.
  std::map<std::pair<std::string, std::string>, double> before;
  for (const Json& one : earlier["cases"]) {
    if (!one.contains("ours_ns") || !one["ours_ns"].is_number()) continue;
    for (const auto& [peer, ns] : one["peers"].items()) {
      if (ns.is_number() && ns.get<double>() > 0) {
        before[{one["case"].get<std::string>(), peer}] = one["ours_ns"].get<double>() / ns.get<double>();
      }
    }
  }

  struct Change {
    double factor;
    std::vector<std::string> cells;
  };
  std::vector<Change> changes;
  std::size_t compared = 0;
  std::string last;
  for (const Row& row : report.results.rows()) {
    if (row.ours == nullptr || row.contest.name == last) continue;
    last = row.contest.name;
    // The peer that varied least in this run is the best yardstick.
    const Holds* yardstick = nullptr;
    std::string name;
    for (const Rival& rival : row.contest.of->rivals) {
      const Holds* const holds = report.results.find(row.contest, rival);
      if (holds == nullptr || !before.contains({row.contest.name, rival.name})) continue;
      if (yardstick == nullptr || holds->spread() < yardstick->spread()) {
        yardstick = holds;
        name = rival.name;
      }
    }
    if (yardstick == nullptr) continue;
    ++compared;
    const double then = before[{row.contest.name, name}];
    const double now = row.ours->time() / yardstick->time();
    const double noise = ratio_spread(*row.ours, *yardstick);
    const double factor = now / then;
    if (std::max(factor, 1 / factor) < std::max(1.1, noise)) continue;
    changes.push_back({factor,
                       {factor > 1 ? "SLOWER" : "faster", row.contest.name, text("%.2f", factor), name,
                        ratio_text(then), ratio_text(now), text("%.2f", noise)}});
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.factor > b.factor; });

  std::ostringstream out;
  out << "\nBeside " << path << ": " << compared << " cases compared by their ratio to a peer, " << changes.size()
      << " changed by more than a tenth and more than they vary within this run.\n";
  if (!changes.empty()) {
    Table table({"now", "case", "factor", "ratio to", "then", "now", "varies by"});
    for (Change& change : changes) table.add(std::move(change.cells));
    out << '\n';
    table.print(out, false);
  }
  return out.str();
}

}  // namespace bench
