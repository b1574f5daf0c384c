"""Primes below 2,000,000: no threads, and two halves in two threads."""

import threading
from datetime import datetime

from support import run


def is_prime(num):
    for i in range(2, int(num**0.5 + 1)):
        if num % i == 0:
            return False
    return True


def count_primes(n, st, end, counts):
    cnt = 0
    start_ = datetime.now()
    for i in range(st, end):
        if is_prime(i):
            cnt += 1
    end_ = datetime.now()
    print(f"Thread {n} is finished. Spent {(end_ - start_).total_seconds()} sec\n{cnt}")
    counts[n] = cnt


def main(tour):
    last = tour.size(2_000_000, 100)
    half = last // 2
    counts = {}
    count_primes(0, 2, last + 1, counts)
    t1 = threading.Thread(target=count_primes, args=(1, 2, half + 1, counts), daemon=True)
    t2 = threading.Thread(target=count_primes, args=(2, half + 1, last + 1, counts), daemon=True)
    start = datetime.now()
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    print(f"2 threads, halves: {(datetime.now() - start).total_seconds()} sec, {counts[1] + counts[2]}")
    assert counts[1] + counts[2] == counts[0]
    tour.result("halves", f"{counts[1]}+{counts[2]}")


run(main)
