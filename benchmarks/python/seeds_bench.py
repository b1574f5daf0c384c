#!/usr/bin/env python3
"""CPython's side of seeds/seeds_bench.cpp: runs one case and prints the seconds it took.

    python3 benchmarks/python/seeds_bench.py primes|pi|counter|condition
    python3 benchmarks/python/seeds_bench.py fetch PORT
"""

import math
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed

LAST = 200_000
PRIMES = 17_984
SLICES = 500_000
PARTS = 10
TURNS = 100_000
PING_PONGS = 5_000
PAGES = 13


def is_prime(number):
    for i in range(2, math.isqrt(number) + 1):
        if number % i == 0:
            return False
    return True


def primes_between(first, last):
    return sum(1 for number in range(first, last + 1) if is_prime(number))


def primes():
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(primes_between, 2, LAST // 2), pool.submit(primes_between, LAST // 2 + 1, LAST)]
        assert sum(half.result() for half in halves) == PRIMES


def half_circle(x):
    return math.sqrt(max(0.0, 1 - x * x))


def part_of_pi(part):
    width = 2.0 / PARTS
    start = -1 + width * part
    step = width / (SLICES // PARTS - 1)
    xs = [start + step * i for i in range(SLICES // PARTS)]
    return 2 * sum((half_circle(a) + half_circle(b)) * 0.5 * (b - a) for a, b in zip(xs[:-1], xs[1:]))


def pi():
    with ThreadPoolExecutor(2) as pool:
        assert 3.1415 < sum(pool.map(part_of_pi, range(PARTS))) < 3.1416


def both(target, *arguments):
    threads = [threading.Thread(target=target, args=(number, *arguments)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def counter():
    lock = threading.Lock()
    count = 0

    def add(_):
        nonlocal count
        for _ in range(TURNS):
            with lock:
                count += 1

    both(add)
    assert count == 2 * TURNS


def condition():
    turn = threading.Condition()
    whose = 0

    def play(mine):
        nonlocal whose
        for _ in range(PING_PONGS):
            with turn:
                turn.wait_for(lambda: whose == mine)
                whose = 1 - mine
                turn.notify()

    both(play)


def get(url):
    with urllib.request.urlopen(url) as page:
        return page.read()


def fetch(port):
    with ThreadPoolExecutor(16) as pool:
        pages = [pool.submit(get, f"http://127.0.0.1:{port}/page{number}") for number in range(PAGES)]
        assert sum(len(page.result()) for page in as_completed(pages)) > 0


CASES = {"primes": primes, "pi": pi, "counter": counter, "condition": condition, "fetch": fetch}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in CASES:
        sys.exit(__doc__)
    began = time.perf_counter()
    CASES[sys.argv[1]](*sys.argv[2:])
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
