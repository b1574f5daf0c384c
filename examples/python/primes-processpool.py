"""A task per number, by processes: 25 rounds of 1 to 10000."""

import itertools
import os
import time
from multiprocessing import Pool

from support import run

NUMBERS = range(1, 10_001)


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


def by_pool(pool, is_prime, chunksize=None):
    return list(itertools.compress(NUMBERS, pool.map(is_prime, NUMBERS, chunksize)))


def by_new_pool(is_prime, workers):
    with Pool(workers) as pool:
        return by_pool(pool, is_prime)


def main(tour):
    rounds, cores = tour.size(25), tour.threads(len(os.sched_getaffinity(0)))
    with Pool(cores) as pool:
        for test, is_prime in (
            ("division by every number below", by_full_division),
            ("division up to the square root", by_square_root),
        ):
            print(f"{test}:")
            alone = None
            for how, find_primes in (
                ("a loop", lambda: [number for number in NUMBERS if is_prime(number)]),
                (f"Pool({cores}) made each time, map", lambda: by_new_pool(is_prime, cores)),
                (f"Pool({cores}), map", lambda: by_pool(pool, is_prime)),
                (f"Pool({cores}), map, chunksize = 1", lambda: by_pool(pool, is_prime, 1)),
            ):
                start = time.perf_counter()
                for _ in range(rounds):
                    assert len(find_primes()) == 1229
                wall = time.perf_counter() - start
                alone = alone or wall
                print(f"  {how:34}{wall:.3f} s{wall / alone:9.2f} of the loop", flush=True)
    tour.result("right in all ways", 8 * rounds)


if __name__ == "__main__":
    run(main)
