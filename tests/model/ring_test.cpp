// The ring of slots between two processes under the model checker: multiprocessing's Ring.

#include "nogil/multiprocessing/detail/ring.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/platform/event_count.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::multiprocessing::detail::Ring;
using nogil::platform::BasicEventCount;
using nogil::platform::BasicWait;

template <class P, class Ready>
void await(BasicEventCount<P>& count, Ready ready) {
  while (!ready()) {
    const auto key = count.prepare();
    BasicWait<P> forever;
    if (ready()) count.cancel(key);
    else count.wait(key, forever);
  }
}

template <class P>
struct Line {
  Ring<P, Plain<int>, 2> ring;
  BasicEventCount<P> filled;
  BasicEventCount<P> emptied;

  void put(int value) {
    await(emptied, [this] { return ring.has_room(); });
    ring.next() = value;
    ring.push();
    filled.notify(1);
  }

  int take() {
    await(filled, [this] { return !ring.empty(); });
    const int value = ring.first();
    ring.pop();
    emptied.notify(1);
    return value;
  }
};

template <class P>
void pass_on(int count) {
  Line<P> line;
  together(
      [&] {
        for (int i = 1; i <= count; ++i) line.put(i);
      },
      [&] {
        for (int i = 1; i <= count; ++i) require(line.take() == i, "another slot than the next");
      });
  require(line.ring.empty(), "a slot is left");
}

TEST(ModelRing, brings_whole_slots_in_order) {
  EXPECT_TRUE(holds([] { pass_on<Platform>(2); }));
  EXPECT_TRUE(holds([] { pass_on<Platform>(4); })) << "its slots are used again";
}

TEST(ModelRing, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { pass_on<WithoutRelease>(4); }));
  EXPECT_TRUE(fails("data race", [] { pass_on<WithoutAcquire>(4); }));
  EXPECT_TRUE(fails("deadlock", [] { pass_on<WithoutWake>(2); }));
  EXPECT_TRUE(fails("deadlock", [] { pass_on<BlindSleep>(2); }));
}

}  // namespace
