// nogil/platform/cgroup.hpp -- how many cores a container's quota is worth.
//
// A control group may use so many microseconds of CPU in each period: cpu.max in version 2,
// cpu.cfs_quota_us and cpu.cfs_period_us in version 1. Groups are nested, and the smallest
// quota on the way up counts. This process's group is in /proc/self/cgroup, relative to the
// root of a hierarchy; where hierarchies are mounted, and how much of them, is in
// /proc/self/mountinfo.
//
// Contract   Whatever the files hold, or if they are missing, these functions give an
//            answer: 0 means no quota that we know of.
// Source     cgroups(7), the kernel's Documentation/admin-guide/cgroup-v2.rst,
//            proc_pid_mountinfo(5).

#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

namespace nogil::platform {

// Everything here is a template, so that only those who call cpu_count() have to compile it.
struct Lazy;

// The whole file, or "" if it cannot be read.
template <class = Lazy>
std::string read_file(const std::string& path) {
  std::string text;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  char part[4096];
  for (;;) {
    const ::ssize_t got = ::read(file, part, sizeof part);
    if (got > 0) text.append(part, static_cast<std::size_t>(got));
    else if (got == 0 || errno != EINTR) break;
  }
  ::close(file);
  return text;
}

// Takes what comes before `separator` off the front of `text`, and the separator.
template <class = Lazy>
std::string_view take_until(std::string_view& text, char separator) noexcept {
  const std::size_t at = text.find(separator);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + 1);
  return taken;
}

// Whether `word` is one of the words in a list like "rw,cpu,cpuacct".
template <class = Lazy>
bool has_word(std::string_view list, std::string_view word) noexcept {
  while (!list.empty()) {
    if (take_until(list, ',') == word) return true;
  }
  return false;
}

// A positive number at the start of `text`, or 0: for "max", "-1", nonsense, and what is
// too large to matter.
template <class = Lazy>
long long positive_number(std::string_view text) noexcept {
  long long number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    number = number * 10 + (c - '0');
    if (number > 1'000'000'000'000'000) return 0;
  }
  return number;
}

// The cores that `quota` microseconds in each `period` come to, rounded up; 0: no quota.
template <class = Lazy>
long long quota_cores(std::string_view quota, std::string_view period) noexcept {
  const long long part = positive_number(quota);
  const long long whole = positive_number(period);
  return part == 0 || whole == 0 ? 0 : (part + whole - 1) / whole;
}

// mountinfo writes a space in a path as \040.
template <class = Lazy>
std::string unescape_path(std::string_view text) {
  const auto octal = [&text](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
  std::string path;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 3 < text.size() && octal(at + 1) && octal(at + 2) && octal(at + 3)) {
      path += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
      at += 3;
    } else {
      path += text[at];
    }
  }
  return path;
}

// One hierarchy that limits CPU time, as mounted here.
struct CgroupMount {
  bool found = false;
  std::string root;   // which part of the hierarchy is mounted: "/", or a container's group
  std::string point;  // where
};

// The mount of version 2, or of version 1's cpu controller.
template <class = Lazy>
CgroupMount find_cgroup_mount(std::string_view mountinfo, int version) {
  while (!mountinfo.empty()) {
    // 36 35 98:0 /root /mount/point options [optional fields] - type source super-options
    std::string_view line = take_until(mountinfo, '\n');
    for (int skipped = 0; skipped < 3; ++skipped) take_until(line, ' ');
    const std::string_view root = take_until(line, ' ');
    const std::string_view point = take_until(line, ' ');
    while (!line.empty() && take_until(line, ' ') != "-") {
    }
    const std::string_view type = take_until(line, ' ');
    take_until(line, ' ');
    const bool wanted = version == 2 ? type == "cgroup2" : type == "cgroup" && has_word(line, "cpu");
    if (wanted) return {true, unescape_path(root), unescape_path(point)};
  }
  return {};
}

// This process's group in /proc/self/cgroup: "0::/path", or "4:cpu,cpuacct:/path".
template <class = Lazy>
std::string find_cgroup_path(std::string_view cgroup, int version) {
  while (!cgroup.empty()) {
    std::string_view line = take_until(cgroup, '\n');
    const std::string_view id = take_until(line, ':');
    const std::string_view controllers = take_until(line, ':');
    if (version == 2 ? id == "0" && controllers.empty() : has_word(controllers, "cpu")) return std::string(line);
  }
  return "";
}

// The cores that this process's control groups grant it, at least 1; or 0: no quota.
// `prefix` is put before every path: a folder with files made up by a test.
template <class = Lazy>
long long cgroup_cores(const std::string& prefix = "") {
  const std::string mountinfo = read_file(prefix + "/proc/self/mountinfo");
  const std::string cgroup = read_file(prefix + "/proc/self/cgroup");
  long long least = 0;
  for (const int version : {2, 1}) {
    const CgroupMount mount = find_cgroup_mount(mountinfo, version);
    if (!mount.found) continue;
    std::string path = find_cgroup_path(cgroup, version);
    // Below what is mounted, or else (a group outside of it, seen from a container) its top.
    if (mount.root != "/" && (path + "/").compare(0, mount.root.size() + 1, mount.root + "/") == 0) {
      path.erase(0, mount.root.size());
    } else if (mount.root != "/" || path.find("/..") != path.npos) {
      path.clear();
    }
    if (path == "/") path.clear();
    for (;;) {
      const std::string folder = prefix + mount.point + path;
      long long cores;
      if (version == 2) {
        const std::string text = read_file(folder + "/cpu.max");
        std::string_view both = text;
        const std::string_view quota = take_until(both, ' ');
        cores = quota_cores(quota, both);
      } else {
        cores = quota_cores(read_file(folder + "/cpu.cfs_quota_us"), read_file(folder + "/cpu.cfs_period_us"));
      }
      if (cores > 0 && (least == 0 || cores < least)) least = cores;
      if (path.empty()) break;
      path.erase(path.rfind('/') == path.npos ? 0 : path.rfind('/'));
    }
  }
  return least;
}

}  // namespace nogil::platform
