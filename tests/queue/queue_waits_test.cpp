// How each verb of nogil::Queue waits: timeouts, deadlines, stop tokens.

#include <gtest/gtest.h>

#include "nogil/queue/queue.hpp"
#include "queue/support/doors.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing {

using AllDoors = ::testing::Types<GetDoor<Queue<int>>, PutDoor<Queue<int>>, JoinDoor<Queue<int>>>;
using TimedDoors = ::testing::Types<GetDoor<Queue<int>>, PutDoor<Queue<int>>, JoinDoor<Queue<int>>,
                                    GetOrEmptyDoor<Queue<int>>, PutOrFullDoor<Queue<int>>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Queue, TimedWait, TimedDoors);
INSTANTIATE_TYPED_TEST_SUITE_P(Queue, StoppableWait, AllDoors);
INSTANTIATE_TYPED_TEST_SUITE_P(Queue, TimedStoppableWait, AllDoors);
INSTANTIATE_TYPED_TEST_SUITE_P(Queue, WaitForWhatIsFree, AllDoors);

}  // namespace nogil::testing
