// The whole library in two files of one program: nothing is defined twice, and both
// files speak of the same objects.

#include <gtest/gtest.h>

#include "nogil/nogil.hpp"
#include "odr/other.hpp"

namespace {

TEST(TwoFilesOfOneProgram, agree_on_who_the_thread_is) {
  EXPECT_EQ(nogil::get_ident(), other::ident());
}

TEST(TwoFilesOfOneProgram, agree_on_which_threads_there_are) {
  EXPECT_EQ(nogil::active_count(), other::active_count());
}

TEST(TwoFilesOfOneProgram, share_a_lock) {
  nogil::Lock lock;
  other::acquire(lock);
  EXPECT_TRUE(lock.locked());
  lock.release();
}

TEST(TwoFilesOfOneProgram, catch_what_the_other_throws) {
  nogil::Lock lock;
  EXPECT_THROW(other::release(lock), nogil::RuntimeError);
}

}  // namespace
