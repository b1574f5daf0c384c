"""Two threads count, with a lock and without."""

import threading
import time

from support import run


def main(tour):
    count, times, many = tour.threads(2), tour.size(10_000), tour.size(1_000_000)
    lock, rlock = threading.Lock(), threading.RLock()
    counter = 0

    def with_lock():
        nonlocal counter
        with lock:
            counter += 1

    def acquire_release():
        nonlocal counter
        lock.acquire()
        try:
            counter += 1
        finally:
            lock.release()

    def with_rlock():
        nonlocal counter
        with rlock, rlock:
            counter += 1

    def read():
        return counter

    def no_lock():
        nonlocal counter
        seen = read()  # a call, so that the threads may change over between read and write
        counter = seen + 1

    for how, what, inc, n in (
        ("with lock", "with lock", with_lock, times),
        ("acquire(), release()", "acquire/release", acquire_release, times),
        ("RLock, taken twice", "RLock", with_rlock, times),
        ("no lock", "no lock", no_lock, many),
    ):
        counter = 0
        start = threading.Barrier(count)

        def body():
            start.wait()
            for _ in range(n):
                inc()

        began = time.perf_counter()
        threads = [threading.Thread(target=body) for _ in range(count)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        print(f"{how:24}{f'{count} x {n}':>14}  {time.perf_counter() - began:.3f} s wall")
        assert inc is no_lock or counter == count * n
        if inc is not no_lock:
            tour.result(what, counter)
    print(f"without a lock {count * many - counter} of {count * many} steps were lost")


run(main)
