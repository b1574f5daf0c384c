"""Threads that compute: the GIL lets one of them do so at a time."""

import os
import threading
import time

from support import run

MASK = (1 << 64) - 1


def churn(seed, steps):
    x = seed * 2 + 1
    for _ in range(steps):
        x ^= (x << 13) & MASK
        x ^= x >> 7
        x ^= (x << 17) & MASK
    return x


def main(tour):
    count = tour.threads(min(max(len(os.sched_getaffinity(0)), 2), 8))
    pieces = tour.size(4_000, 1_000)
    done = [0] * count

    def work(n):
        for i in range(pieces):
            churn(n * 1_000_000 + i, 100)
            done[n] += 1

    start = time.perf_counter()
    for n in range(count):
        work(n)
    print(f"one after the other: {time.perf_counter() - start:.3f} s")
    done = [0] * count
    start = time.perf_counter()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{count} threads:           {time.perf_counter() - start:.3f} s")
    assert sum(done) == count * pieces
    tour.result("pieces", sum(done))
    tour.less_work(100)


run(main)
