"""The same sum four times: in a loop, by threads, by processes."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import Pool

from support import run


def cpu_bound_task(n, number):
    total = 0
    for i in range(n):
        total += i
    return total


def main(tour):
    n, count = tour.size(50_000_000, 1000), tour.threads(4)
    task = partial(cpu_bound_task, n)

    def report(how, start, results):
        print(f"{how:24}{time.perf_counter() - start:.3f} s  {results}", flush=True)
        assert results == [n * (n - 1) // 2] * 4

    start = time.perf_counter()
    report("a loop", start, [task(number) for number in range(4)])
    start = time.perf_counter()
    with ThreadPoolExecutor(count) as threads:
        results = list(threads.map(task, range(4)))
    report(f"ThreadPoolExecutor({count})", start, results)
    start = time.perf_counter()
    with Pool(count) as pool:
        results = pool.map(task, range(4))
    report(f"Pool({count})", start, results)
    tour.result("each sum", results[0])


if __name__ == "__main__":
    run(main)
