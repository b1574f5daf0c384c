"""The same work by 1, 2, 4, 10 and 100 threads."""

import time
from concurrent.futures import ThreadPoolExecutor

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
    for name, tasks, steps in (("large tasks", tour.size(500), 5_000), ("tiny tasks", tour.size(20_000), 1)):
        print(f"{tasks} {name} of {steps} steps")
        print("threads     wall        CPU   us a task   times as fast")
        results, alone = set(), None
        for threads in (1, 2, 4, 10, tour.threads(100)):
            wall, cpu = time.perf_counter(), time.process_time()
            with ThreadPoolExecutor(threads) as executor:
                futures = [executor.submit(churn, i, steps) for i in range(tasks)]
            result = 0
            for future in futures:
                result ^= future.result()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            alone = alone or wall
            print(f"{threads:7}{wall:9.3f}{cpu:11.3f}{wall / tasks * 1e6:12.2f}{alone / wall:16.2f}")
            results.add(result)
        assert len(results) == 1
    tour.result("runs with the same result", 2 * 5)
    tour.less_work(10)


run(main)
