"""Two locks in opposite order with timeouts: four ways."""

import contextlib
import random
import threading
import time

from support import run


def main(tour):
    def try_both(me, first, second, meet=None):
        if not first.acquire(timeout=tour.scaled(1)):
            return False
        if meet:
            meet.wait()
        tour.sleep(0.5)
        acquired = second.acquire(timeout=tour.scaled(1))
        if acquired:
            print(f"thread {me} works")
            second.release()
        else:
            print(f"thread {me} gives way")
        first.release()
        return acquired

    def in_two_threads(body):
        lock1, lock2 = threading.Lock(), threading.Lock()
        worked = []

        def thread(me, first, second):
            if body(me, first, second):
                worked.append(me)

        threads = [
            threading.Thread(target=thread, args=(1, lock1, lock2)),
            threading.Thread(target=thread, args=(2, lock2, lock1)),
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return len(worked)

    print("1. as written:")
    meet = threading.Barrier(2)
    worked = in_two_threads(lambda me, first, second: try_both(me, first, second, meet))
    print(f"{worked} of 2 worked, the other gave up without a word")
    assert worked <= 1

    print(f"2. try again at once, for at most {tour.scaled(6):.2f} s more:")
    end = time.perf_counter() + tour.scaled(6)

    def at_once(me, first, second):
        while not (done := try_both(me, first, second)) and time.perf_counter() < end:
            pass
        return done

    print(f"{in_two_threads(at_once)} of 2 worked")

    print("3. try again after a random pause:")

    def with_pauses(me, first, second):
        while not try_both(me, first, second):
            tour.sleep(random.uniform(0, 2))
        return True

    worked = in_two_threads(with_pauses)
    print(f"{worked} of 2 worked")
    tour.result("random pause", worked)

    print("4. both at once:")

    def both_at_once(me, first, second):
        with contextlib.ExitStack() as stack:
            for lock in sorted((first, second), key=id):  # one order for all
                stack.enter_context(lock)
            tour.sleep(0.5)
            print(f"thread {me} works")
        return True

    worked = in_two_threads(both_at_once)
    print(f"{worked} of 2 worked")
    tour.result("both at once", worked)


run(main)
