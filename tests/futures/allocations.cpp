// The operator new and delete that count, which the tests of the queues have, for these too.

#include "queue/allocations.cpp"  // NOLINT(bugprone-suspicious-include)
