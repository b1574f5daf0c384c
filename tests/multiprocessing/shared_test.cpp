// Tests of nogil::mp::Value, Array and SharedMemory. Cases of CPython's _TestValue, _TestArray
// and _TestSharedMemory are among them.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/array.hpp"
#include "nogil/multiprocessing/shared_memory.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing {
namespace {

using mp::Array;
using mp::SharedMemory;
using mp::Value;

using AnyShared = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyShared);

struct Position {
  int x = 1;
  double y = 2;
};

TEST_P(AnyShared, value_is_the_same_in_both_processes) {
  Value<Position> position(Position{3, 4});
  EXPECT_EQ(exitcode([](Value<Position> same) { same.set({same.get().x + 1, same.get().y * 2}); }, position), 0);
  EXPECT_EQ(position.get().x, 4);
  EXPECT_EQ(position.get().y, 8);
}

TEST_P(AnyShared, value_is_changed_by_many_processes_in_turn) {
  Value<long> sum(0);
  std::vector<Process> workers;
  for (int i = 0; i < 4; ++i) {
    workers.push_back(process(
        [](Value<long> to) {
          for (int times = 0; times < 1000; ++times) to.with_lock([](long& n) { ++n; });
        },
        sum));
    workers.back().start();
  }
  for (Process& worker : workers) worker.join();
  EXPECT_EQ(sum.get(), 4000);
}

TEST_P(AnyShared, value_says_so_when_a_process_died_that_had_its_lock) {
  Value<int> value(5);
  EXPECT_EQ(exitcode([](Value<int> same) { same.with_lock([](int& n) { n = 6, ::raise(SIGKILL); }); }, value),
            -SIGKILL);
  EXPECT_THROW(value.get(), OwnerDied);
  EXPECT_EQ(value.get(), 6) << "what the dead left";
}

TEST_P(AnyShared, array_is_the_same_in_both_processes) {
  Array<int> squares(100);
  for (const int element : squares) EXPECT_EQ(element, 0);
  EXPECT_EQ(exitcode(
                [](Array<int> same) {
                  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<int>(i * i);
                },
                squares),
            0);
  EXPECT_EQ(squares[9], 81);
  EXPECT_EQ(squares.at(99), 9801);
  EXPECT_EQ(std::accumulate(squares.begin(), squares.end(), 0), 328350);
}

TEST_P(AnyShared, array_is_changed_by_many_processes_in_turn) {
  Array<int> counts{0, 0};
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(process(
        [](Array<int> same) {
          for (int times = 0; times < 500; ++times) same.with_lock([](std::span<int> all) { ++all[0], --all[1]; });
        },
        counts));
    workers.back().start();
  }
  for (Process& worker : workers) worker.join();
  EXPECT_EQ(counts[0], 1500);
  EXPECT_EQ(counts[1], -1500);
}

TEST_P(AnyShared, memory_without_a_name_is_the_same_in_both_processes) {
  SharedMemory memory = SharedMemory::anonymous(10'000);
  EXPECT_EQ(memory.size(), 10'000u);
  EXPECT_EQ(memory.name(), "");
  EXPECT_EQ(memory.buf()[9'999], std::byte{0});
  EXPECT_EQ(exitcode([](SharedMemory same) { same.buf()[9'999] = std::byte{7}; }, memory), 0);
  EXPECT_EQ(memory.buf()[9'999], std::byte{7});
}

TEST_P(AnyShared, memory_with_a_name_is_found_by_other_processes) {
  const std::string name = "nogil-test-" + std::to_string(::getpid());
  SharedMemory memory = SharedMemory::create(name, 100);
  EXPECT_EQ(exitcode([](const std::string& same) { SharedMemory::open(same).buf()[1] = std::byte{9}; }, name), 0);
  EXPECT_EQ(memory.buf()[1], std::byte{9});
  EXPECT_EQ(exitcode([](SharedMemory same) { same.buf()[2] = std::byte{8}; }, memory), 0);
  EXPECT_EQ(memory.buf()[2], std::byte{8});
  EXPECT_TRUE(std::filesystem::exists("/dev/shm/" + name)) << "who only has it does not take the name away";
  memory.unlink();
  EXPECT_FALSE(std::filesystem::exists("/dev/shm/" + name));
}

// ---- In one process ----------------------------------------------------------------------

TEST(SharedMemoryTest, refuses_names_and_sizes_that_are_none) {
  EXPECT_THROW(SharedMemory::anonymous(0), ValueError);
  EXPECT_THROW(SharedMemory::anonymous(-1), ValueError);
  EXPECT_THROW(SharedMemory::create("nogil-test", 0), ValueError);
  EXPECT_THROW(SharedMemory::create("", 10), ValueError);
  EXPECT_THROW(SharedMemory::create("a/b", 10), ValueError);
  EXPECT_THROW(SharedMemory::open("nogil-there-is-none"), FileNotFoundError);
}

TEST(SharedMemoryTest, is_created_once) {
  const std::string name = "nogil-test-once-" + std::to_string(::getpid());
  {
    SharedMemory memory = SharedMemory::create(name, 10);
    EXPECT_THROW(SharedMemory::create(name, 10), FileExistsError);
    SharedMemory other = SharedMemory::open(name);
    other.buf()[0] = std::byte{1};
    EXPECT_EQ(memory.buf()[0], std::byte{1});
  }
  EXPECT_THROW(SharedMemory::open(name), FileNotFoundError) << "the name goes with the creator's last handle";
}

TEST(SharedMemoryTest, keeps_its_bytes_past_unlink_and_until_close) {
  SharedMemory memory = SharedMemory::create("nogil-test-keep-" + std::to_string(::getpid()), 10);
  SharedMemory copy = memory;
  memory.unlink();
  memory.unlink();
  memory.buf()[3] = std::byte{3};
  memory.close();
  EXPECT_EQ(memory.size(), 0u);
  EXPECT_TRUE(memory.buf().empty());
  EXPECT_EQ(copy.buf()[3], std::byte{3});
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  EXPECT_THROW(out(memory), ValueError);
}

TEST(SharedMemoryTest, leaves_no_file_open) {
  const auto before = open_files();
  for (int round = 0; round < 10; ++round) {
    Value<int> value(1);
    Array<double> array(1000);
    SharedMemory memory = SharedMemory::anonymous(1 << 20);
    mp::detail::Frame frame;
    mp::OutputArchive out(frame);
    out(value, array, memory);
    mp::InputArchive in(frame);
    EXPECT_EQ(in.get<Value<int>>().get(), 1);
    EXPECT_EQ(in.get<Array<double>>().size(), 1000u);
  }
  EXPECT_EQ(open_files(), before);
}

TEST(ArrayTest, checks_what_it_can) {
  EXPECT_THROW(Array<int>(-1), ValueError);
  EXPECT_THROW(Array<double>(PTRDIFF_MAX / 2), std::bad_alloc);
  Array<int> empty(0);
  EXPECT_EQ(empty.begin(), empty.end());
  Array<int> one{1};
  EXPECT_THROW(one.at(1), std::out_of_range);
  const Array<int> copy = one;
  one[0] = 5;
  EXPECT_EQ(copy[0], 5);
}

TEST(SharedObject, is_not_taken_for_another) {
  Value<int> value(1);
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(value, value);
  mp::InputArchive in(frame);
  EXPECT_THROW(in.get<Array<int>>(), DecodeError);
  EXPECT_THROW(in.get<Value<long>>(), DecodeError);
  EXPECT_THROW(in.get<Value<int>>(), DecodeError) << "there is no third";
}

}  // namespace
}  // namespace nogil::testing
