// support/suggest.hpp -- "did you mean …?" for names that do not exist.

#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tour {

// How many letters must be added, dropped or replaced to make one of the other, where
// two neighbours that changed places count once.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

// " Did you mean a, b or c?", with a space before it, or nothing when nothing is near.
inline std::string did_you_mean(std::string_view wrong, const std::vector<std::string_view>& names) {
  std::vector<std::string_view> near;
  if (wrong.size() >= 3) {
    for (const std::string_view name : names)
      if (name.find(wrong) != std::string_view::npos || wrong.find(name) != std::string_view::npos)
        near.push_back(name);
  }
  if (near.empty()) {
    std::size_t least = std::max<std::size_t>(2, wrong.size() / 3);
    for (const std::string_view name : names) {
      const std::size_t distance = edit_distance(wrong, name);
      if (distance > least) continue;
      if (distance < least) near.clear();
      least = distance;
      near.push_back(name);
    }
  }
  if (near.empty()) return {};
  if (near.size() > 4) near.resize(4);
  std::string question = " Did you mean ";
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i > 0) question += i + 1 == near.size() ? " or " : ", ";
    question += near[i];
  }
  return question + "?";
}

}  // namespace tour
