"""One thread tells others that something has happened."""

import threading
import time

from support import run


def main(tour):
    event = threading.Event()
    set_at = 0.0

    def waiter(number):
        event.wait()
        print(f"waiter {number} woke {(time.perf_counter() - set_at) * 1000:.3f} ms after set()")

    def setter():
        nonlocal set_at
        tour.sleep(3)
        print("setter: set()")
        set_at = time.perf_counter()
        event.set()

    threads = [threading.Thread(target=waiter, args=(i,)) for i in range(tour.threads(3))]
    threads.append(threading.Thread(target=setter))
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    assert event.is_set() and event.wait(0)
    event.clear()
    came = event.wait(timeout=tour.scaled(0.5))
    print(f"cleared, and waited {tour.scaled(0.5):.2f} s: {'it came' if came else 'it did not come'}")
    tour.result("woke after set()", len(threads) - 1)
    tour.result("cleared, it came", came)


run(main)
