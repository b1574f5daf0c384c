// How each verb of nogil::Queue waits: timeouts, deadlines, stop tokens.

#include <gtest/gtest.h>

#include "nogil/queue/queue.hpp"
#include "queue/support/doors.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::queue_waits_test {

using AllDoors = ::testing::Types<GetDoor<Queue<int>>, PutDoor<Queue<int>>, JoinDoor<Queue<int>>>;
using TimedDoors = ::testing::Types<GetDoor<Queue<int>>, PutDoor<Queue<int>>, JoinDoor<Queue<int>>,
                                    GetOrEmptyDoor<Queue<int>>, PutOrFullDoor<Queue<int>>>;
NOGIL_WAIT_SUITE(Queue, TimedWait, TimedDoors);
NOGIL_WAIT_SUITE(Queue, StoppableWait, AllDoors);
NOGIL_WAIT_SUITE(Queue, TimedStoppableWait, AllDoors);
NOGIL_WAIT_SUITE(Queue, WaitForWhatIsFree, AllDoors);

}  // namespace nogil::testing::queue_waits_test
