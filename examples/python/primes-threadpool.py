"""Is a task per number worth it? 25 rounds of 1 to 10000, with a pool and without."""

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

from support import run

NUMBERS = 10_000


def by_full_division(number):
    for i in range(2, number):
        if number % i == 0:
            return False
    return number >= 2


def by_square_root(number):
    for i in range(2, int(number**0.5) + 1):
        if number % i == 0:
            return False
    return number >= 2


def get_primes(is_prime):
    return [number for number in range(1, NUMBERS + 1) if is_prime(number)]


def one_task_each(is_prime, max_workers):
    data_range = range(1, NUMBERS + 1)
    with ThreadPoolExecutor(max_workers) as executor:
        results = executor.map(is_prime, data_range)
        return list(itertools.compress(data_range, results))


def in_chunks(is_prime, max_workers, size=500):
    def test(start):
        return [number for number in range(start, start + size) if is_prime(number)]

    with ThreadPoolExecutor(max_workers) as executor:
        return list(itertools.chain.from_iterable(executor.map(test, range(1, NUMBERS + 1, size))))


def main(tour):
    rounds, many, cores = tour.size(25), tour.threads(12), len(os.sched_getaffinity(0))
    for test, is_prime in (
        ("division by every number below", by_full_division),
        ("division up to the square root", by_square_root),
    ):
        print(f"{test}:")
        alone = None
        for how, find_primes in (
            ("a loop", lambda: get_primes(is_prime)),
            (f"pool({many}), map each number", lambda: one_task_each(is_prime, many)),
            (f"pool({cores}), map each number", lambda: one_task_each(is_prime, cores)),
            (f"pool({cores}), chunks by hand", lambda: in_chunks(is_prime, cores)),
        ):
            start = time.perf_counter()
            for _ in range(rounds):
                assert len(find_primes()) == 1229
            wall = time.perf_counter() - start
            alone = alone or wall
            print(f"  {how:34}{wall:.3f} s wall{wall / alone:9.2f} of the loop")
    tour.result("primes", 1229)


run(main)
