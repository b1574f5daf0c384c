// Tests of nogil::mp::SharedMemory, under every start method. Cases of CPython's _TestSharedMemory are among them.

#include "nogil/multiprocessing/shared_memory.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/array.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::shared_memory_test {
namespace {

using mp::Array;
using mp::SharedMemory;
using mp::Value;

using AnySharedMemory = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnySharedMemory);

TEST_P(AnySharedMemory, without_a_name_is_the_same_in_both_processes) {
  SharedMemory memory = SharedMemory::anonymous(10'000);
  EXPECT_EQ(memory.size(), 10'000u);
  EXPECT_EQ(memory.name(), "");
  EXPECT_EQ(memory.buf()[9'999], std::byte{0});
  EXPECT_EQ(exitcode([](SharedMemory same) { same.buf()[9'999] = std::byte{7}; }, memory), 0);
  EXPECT_EQ(memory.buf()[9'999], std::byte{7});
}

TEST_P(AnySharedMemory, with_a_name_is_found_by_other_processes) {
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

TEST_P(AnySharedMemory, is_sent_though_its_name_is_gone) {
  SharedMemory memory = SharedMemory::create("nogil-test-sent-" + std::to_string(::getpid()), 100);
  memory.unlink();
  EXPECT_EQ(exitcode([](SharedMemory same) { same.buf()[5] = std::byte{6}; }, memory), 0);
  EXPECT_EQ(memory.buf()[5], std::byte{6});
}

TEST_P(AnySharedMemory, keeps_its_name_when_others_that_opened_it_end) {
  const std::string name = "nogil-test-others-" + std::to_string(::getpid());
  const SharedMemory memory = SharedMemory::create(name, 100);
  for (const bool killed : {false, true}) {
    EXPECT_EQ(exitcode(
                  [](const std::string& same, bool dies) {
                    const SharedMemory here = SharedMemory::open(same);
                    if (dies) ::raise(SIGKILL);
                    if (here.size() != 100) std::_Exit(2);
                  },
                  name, killed),
              killed ? -SIGKILL : 0);
    EXPECT_EQ(SharedMemory::open(name).size(), 100u);
  }
}

TEST_P(AnySharedMemory, of_a_process_that_ends_goes_with_its_name) {
  const std::string name = "nogil-test-ended-" + std::to_string(::getpid());
  EXPECT_EQ(exitcode([](const std::string& its) { SharedMemory::create(its, 10).buf()[0] = std::byte{1}; }, name), 0);
  EXPECT_THROW(SharedMemory::open(name), FileNotFoundError);
}

// ---- In one process ----------------------------------------------------------------------

TEST(MpSharedMemory, refuses_names_and_sizes_that_are_none) {
  EXPECT_THROW(SharedMemory::anonymous(0), ValueError);
  EXPECT_THROW(SharedMemory::anonymous(-1), ValueError);
  EXPECT_THROW(SharedMemory::create("nogil-test", 0), ValueError);
  EXPECT_THROW(SharedMemory::create("", 10), ValueError);
  EXPECT_THROW(SharedMemory::create("a/b", 10), ValueError);
  EXPECT_THROW(SharedMemory::create(std::string("nogil-test\0x", 12), 10), ValueError);
  EXPECT_THROW(SharedMemory::open(std::string("nogil-test\0x", 12)), ValueError);
  EXPECT_THROW(SharedMemory::open("nogil-there-is-none"), FileNotFoundError);
}

TEST(MpSharedMemory, is_created_once) {
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

TEST(MpSharedMemory, keeps_its_bytes_past_unlink_and_until_close) {
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

TEST(MpSharedMemory, leaves_its_name_to_newer_memory_that_has_it) {
  const std::string name = "nogil-test-newer-" + std::to_string(::getpid());
  std::optional<SharedMemory> first = SharedMemory::create(name, 10);
  SharedMemory other = SharedMemory::open(name);
  other.unlink();  // not by its creator, who does not know of it
  const SharedMemory newer = SharedMemory::create(name, 20);
  SharedMemory(*first).unlink();
  other.unlink();
  EXPECT_EQ(SharedMemory::open(name).size(), 20u);
  first = SharedMemory::create(name + "-2", 10);
  EXPECT_EQ(SharedMemory::open(name).size(), 20u);

  SharedMemory::open(name + "-2").unlink();
  const SharedMemory newest = SharedMemory::create(name + "-2", 30);
  first.reset();
  EXPECT_EQ(SharedMemory::open(name + "-2").size(), 30u) << "its first creator's last handle is gone";
}

TEST(MpSharedMemory, can_be_unlinked_when_it_is_closed) {
  const std::string name = "nogil-test-closed-" + std::to_string(::getpid());
  SharedMemory memory = SharedMemory::create(name, 10);
  memory.close();
  EXPECT_EQ(SharedMemory::open(name).size(), 10u);
  memory.unlink();
  EXPECT_THROW(SharedMemory::open(name), FileNotFoundError);
}

TEST(MpSharedMemory, leaves_no_file_open) {
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

}  // namespace
}  // namespace nogil::testing::shared_memory_test
