// Tests of nogil::cpu_count, and of the reading of control groups behind it.
// A test's name completes the sentence "cpu_count ...".

#include "nogil/threading/cpu_count.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "nogil/platform/cgroup.hpp"
#include "nogil/threading/thread.hpp"
#include "support/threads.hpp"

namespace cpu_count_test {
namespace {

using nogil::cpu_count;
using nogil::platform::cgroup_cores;

// A folder that looks like the root of a file system, with the files of a test.
class CpuCountTest : public testing::Test {
 protected:
  CpuCountTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "nogil-cpu-count-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~CpuCountTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }

  // Version 2, all of it mounted at the usual place, and this process in `group`.
  void version_2(const std::string& group) {
    write("/proc/self/mountinfo",
          "22 28 0:20 / /proc rw,nosuid - proc proc rw\n"
          "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    write("/proc/self/cgroup", "0::" + group + "\n");
  }

  // Version 1 as systemd mounted it.
  void version_1(const std::string& group, const std::string& mounted = "/") {
    write("/proc/self/mountinfo",
          "31 30 0:27 " + mounted + " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" + "32 30 0:28 " + mounted +
              " /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" + "33 30 0:29 " + mounted +
              " /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n");
    write("/proc/self/cgroup",
          "9:memory:/other\n4:cpuset:/other\n3:cpu,cpuacct:" + group + "\n1:name=systemd:/other\n");
  }

  void cpu_max(const std::string& group, const std::string& text) {
    write("/sys/fs/cgroup" + group + "/cpu.max", text);
  }

  void cfs(const std::string& group, const std::string& quota, const std::string& period) {
    write("/sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_quota_us", quota);
    write("/sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_period_us", period);
  }

  long long cores() const { return cgroup_cores(root_); }

  std::string root_;
};

TEST_F(CpuCountTest, is_at_least_one) {
  EXPECT_GE(cpu_count(), 1u);
}

TEST_F(CpuCountTest, follows_the_affinity_of_the_thread) {
  std::size_t count = 0;
  nogil::Thread thread([&count] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    count = cpu_count();
  });
  thread.start();
  thread.join();
  EXPECT_EQ(count, 1u);
}

// ---- Quotas: 0 means none ------------------------------------------------------------

TEST_F(CpuCountTest, knows_no_quota_where_there_are_no_files) {
  EXPECT_EQ(cores(), 0);
}

TEST_F(CpuCountTest, reads_the_quota_of_version_2) {
  version_2("/app");
  cpu_max("/app", "200000 100000\n");
  EXPECT_EQ(cores(), 2);
}

TEST_F(CpuCountTest, rounds_a_quota_up) {
  version_2("/app");
  cpu_max("/app", "250000 100000\n");
  EXPECT_EQ(cores(), 3);
  cpu_max("/app", "50000 100000\n");
  EXPECT_EQ(cores(), 1);
  cpu_max("/app", "1000 1000000\n");
  EXPECT_EQ(cores(), 1);
}

TEST_F(CpuCountTest, takes_max_for_no_quota) {
  version_2("/app");
  cpu_max("/app", "max 100000\n");
  EXPECT_EQ(cores(), 0);
}

TEST_F(CpuCountTest, takes_the_smallest_quota_on_the_way_up) {
  version_2("/a/b/c");
  cpu_max("/a/b/c", "800000 100000\n");
  cpu_max("/a/b", "max 100000\n");
  cpu_max("/a", "300000 100000\n");
  EXPECT_EQ(cores(), 3);
  cpu_max("/a/b", "100000 50000\n");
  EXPECT_EQ(cores(), 2);
  cpu_max("/a/b/c", "10000 100000\n");
  EXPECT_EQ(cores(), 1);
}

TEST_F(CpuCountTest, passes_over_groups_without_the_controller) {
  version_2("/a/b/c");
  cpu_max("/a", "300000 100000\n");
  EXPECT_EQ(cores(), 3);
}

TEST_F(CpuCountTest, finds_the_quota_at_the_root_of_a_container) {
  version_2("/");
  cpu_max("", "400000 100000\n");
  EXPECT_EQ(cores(), 4);
}

TEST_F(CpuCountTest, looks_at_the_root_when_the_group_lies_outside) {
  version_2("/../../outside");
  cpu_max("", "400000 100000\n");
  EXPECT_EQ(cores(), 4);
}

TEST_F(CpuCountTest, reads_the_quota_of_version_1) {
  version_1("/app");
  cfs("/app", "150000\n", "100000\n");
  EXPECT_EQ(cores(), 2);
  cfs("", "100000\n", "100000\n");
  EXPECT_EQ(cores(), 1);
}

TEST_F(CpuCountTest, takes_minus_one_for_no_quota) {
  version_1("/app");
  cfs("/app", "-1\n", "100000\n");
  EXPECT_EQ(cores(), 0);
}

// Docker with version 1: the group is named from the host's root, of which only the
// container's own part is mounted.
TEST_F(CpuCountTest, finds_the_group_below_what_is_mounted) {
  version_1("/docker/0123", "/docker/0123");
  cfs("", "200000\n", "100000\n");
  EXPECT_EQ(cores(), 2);
  version_1("/docker/0123/inner", "/docker/0123");
  cfs("/inner", "100000\n", "100000\n");
  EXPECT_EQ(cores(), 1);
  version_1("/docker/01234", "/docker/0123");
  EXPECT_EQ(cores(), 2) << "another group, whose name only begins alike";
}

TEST_F(CpuCountTest, looks_at_both_versions) {
  version_1("/app");
  cfs("/app", "400000\n", "100000\n");
  std::string mounts = nogil::platform::read_file(root_ + "/proc/self/mountinfo");
  std::string groups = nogil::platform::read_file(root_ + "/proc/self/cgroup");
  write("/proc/self/mountinfo", mounts + "40 30 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  write("/proc/self/cgroup", groups + "0::/app\n");
  EXPECT_EQ(cores(), 4);
  write("/sys/fs/cgroup/unified/app/cpu.max", "300000 100000\n");
  EXPECT_EQ(cores(), 3);
}

TEST_F(CpuCountTest, understands_spaces_in_paths) {
  write("/proc/self/mountinfo", "30 24 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
  write("/proc/self/cgroup", "0::/an app: it is\n");
  write("/my groups/an app: it is/cpu.max", "300000 100000\n");
  EXPECT_EQ(cores(), 3);
}

TEST_F(CpuCountTest, takes_nonsense_for_no_quota) {
  version_2("/app");
  for (const char* text : {"", "\n", "max", "100000", "100000 ", "100000 0\n", "0 100000\n", "-5 100000\n", "x y\n",
                           "99999999999999999999999999 100000\n", " \n \n"}) {
    cpu_max("/app", text);
    EXPECT_EQ(cores(), 0) << '"' << text << '"';
  }
  write("/proc/self/cgroup", "0");
  EXPECT_EQ(cores(), 0);
  write("/proc/self/mountinfo", "- - - -\n\n cgroup2\n30 24 0:26 / \n");
  EXPECT_EQ(cores(), 0);
}

}  // namespace
}  // namespace cpu_count_test
