"""Three threads sleep for 2 s, all at the same time."""

import threading
import time

from support import run


def main(tour):
    at_work, peak = [], []

    def worker(name):
        print(f"thread {name} starts to work")
        at_work.append(name)
        peak.append(len(at_work))
        tour.sleep(2)
        at_work.remove(name)
        print(f"thread {name} stops working")

    start = time.perf_counter()
    count = tour.threads(3)
    threads = []
    for i in range(count):
        t = threading.Thread(target=worker, args=(f"Thread-{i}",))
        threads.append(t)
        t.start()
    for t in threads:
        t.join()
    print(f"{count} sleeps of {tour.scaled(2):.2f} s took {time.perf_counter() - start:.2f} s")
    tour.result("asleep at once", max(peak))


run(main)
