"""Amdahl's law, predicted and measured: with the GIL, nothing gets faster."""

import os
import time
from concurrent.futures import ThreadPoolExecutor, wait

from support import run

SHARES = (0.5, 0.75, 0.9, 0.95, 0.99, 1)
CHUNKS = 64
MASK = (1 << 64) - 1


def speed_up(p, n):
    return 1 / ((1 - p) + p / n)


def churn(seed, steps):
    x = seed * 2 + 1
    for _ in range(steps):
        x ^= (x << 13) & MASK
        x ^= x >> 7
        x ^= (x << 17) & MASK
    return x


def work(executor, p, steps):
    chunk = round(steps * p / CHUNKS)
    start = time.perf_counter()
    result = churn(CHUNKS, steps - chunk * CHUNKS)
    futures = [executor.submit(churn, i, chunk) for i in range(CHUNKS)]
    wait(futures)
    for future in futures:
        result ^= future.result()
    return time.perf_counter() - start, result


def main(tour):
    counts = (1, 2, 4, 8, 16, 64, 1024)
    print("   P" + "".join(f"{f'N = {n}':>9}" for n in counts) + "    limit")
    for p in SHARES:
        limit = "none" if p == 1 else f"{1 / (1 - p):.2f}"
        print(f"{p:.2f}" + "".join(f"{speed_up(p, n):9.2f}" for n in counts) + f"{limit:>9}")

    most = tour.threads(min(2 * len(os.sched_getaffinity(0)), 16))
    workers = [n for n in (1, 2, 4, 8) if n < most] + [most]
    steps = tour.size(400_000, 6_400)
    print("   P        N   predicted   measured   efficiency")
    for p in SHARES:
        results, alone = set(), None
        for n in workers:
            with ThreadPoolExecutor(n) as executor:
                best, result = min(work(executor, p, steps) for _ in range(3))
            alone = alone or best
            measured = alone / best
            print(f"{p:.2f}{n:9}{speed_up(p, n):12.2f}{measured:11.2f}{measured / n:13.2f}")
            results.add(result)
        assert len(results) == 1
    assert f"{speed_up(0.9, 1024):.2f}" == "9.91"
    tour.result("S for P = 0.9 and 1024 threads", f"{speed_up(0.9, 1024):.2f}")
    tour.less_work(20)


run(main)
