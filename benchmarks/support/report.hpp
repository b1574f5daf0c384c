// benchmarks/support/report.hpp -- results that outlive the run: JSON, a comparison with an
// earlier JSON, and a page.
//
// The JSON:
//
//   {"machine": {"cpu", "cores", "governor", "load", "control", "kernel", "compiler", "date"},
//    "cases": [{"module", "case", "ours_ns", "peers": {name: ns}, "best_peer", "ratio",
//               "spread", "cpu_wall", "goal", "met", ...}],
//    "sizes": [{"module", "name", "bytes", "at_most", "met"}],
//    "absent": [rival]}
//
// One entry in "cases" for each goal of a case, or one where none is set: `goal` and `met`
// are null then. `ratio` is ours to the best peer's; both are null where there is none.
// A case that looks at each turn has "latency": {name: {"p50", "p99", "worst"}}, in ns.

#pragma once

#include <string>
#include <vector>

#include "support/cases.hpp"
#include "support/machine.hpp"
#include "support/results.hpp"

namespace bench {

struct Report {
  const Machine& machine;
  const Results& results;
  const std::vector<Size>& sizes;
};

// Throws std::runtime_error if the file cannot be written.
void write_json(const Report& report, const std::string& path);

// Writes DIR/index.html, which needs nothing else. Throws std::runtime_error.
void write_page(const Report& report, const std::string& folder);

// What became slower or faster, by the ratio to a peer that both runs have measured: so
// the runs may come from two machines. Throws std::runtime_error if there is no such file,
// or if it is none of ours.
std::string compare_with(const Report& report, const std::string& path);

}  // namespace bench
