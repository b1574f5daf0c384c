"""Primes below 2,000,000: no processes, two halves in two processes, and a pool."""

import os
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import Process, Value

from support import run


def is_prime(num):
    for i in range(2, int(num**0.5 + 1)):
        if num % i == 0:
            return False
    return True


def count_range(st, end):
    return sum(1 for i in range(st, end) if is_prime(i))


def count_primes(n, st, end, count):
    start_ = datetime.now()
    count.value = count_range(st, end)
    end_ = datetime.now()
    print(f"Process {n} is finished. Spent {(end_ - start_).total_seconds()} sec\n{count.value}", flush=True)


def main(tour):
    last = tour.size(2_000_000, 100)
    half = last // 2
    start = datetime.now()
    sequential = count_range(2, last + 1)
    print(f"no processes: {(datetime.now() - start).total_seconds()} sec, {sequential}")

    start = datetime.now()
    first, second = Value("i", 0), Value("i", 0)
    p1 = Process(target=count_primes, args=(1, 2, half + 1, first), daemon=True)
    p2 = Process(target=count_primes, args=(2, half + 1, last + 1, second), daemon=True)
    p1.start()
    p2.start()
    p1.join()
    p2.join()
    print(f"2 processes, halves: {(datetime.now() - start).total_seconds()} sec, {first.value + second.value}")
    assert first.value + second.value == sequential

    workers, chunk = tour.threads(len(os.sched_getaffinity(0))), max(1, last // 64)
    start = datetime.now()
    with ProcessPoolExecutor(workers) as executor:
        starts = range(2, last + 1, chunk)
        in_chunks = sum(executor.map(count_range, starts, [min(i + chunk, last + 1) for i in starts]))
    print(f"a pool of {workers}, 64 chunks: {(datetime.now() - start).total_seconds()} sec, {in_chunks}")
    assert in_chunks == sequential
    tour.result("halves", f"{first.value}+{second.value}")
    tour.result("in chunks", in_chunks)


if __name__ == "__main__":
    run(main)
