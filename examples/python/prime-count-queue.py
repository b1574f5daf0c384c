"""The counts come back through a queue; a join before the reading hangs."""

import time
from multiprocessing import Process, Queue

from support import run


def is_prime(num):
    for i in range(2, int(num**0.5 + 1)):
        if num % i == 0:
            return False
    return True


def count_primes(n, st, end, q):
    q.put((n, sum(1 for i in range(st, end) if is_prime(i))))


def put_much(size, q):
    q.put("x" * size)


def main(tour):
    last = tour.size(2_000_000, 100)
    half = last // 2
    start = time.perf_counter()
    q = Queue()
    p1 = Process(target=count_primes, args=(1, 2, half + 1, q))
    p2 = Process(target=count_primes, args=(2, half + 1, last + 1, q))
    p1.start()
    p2.start()
    counts = dict(q.get() for _ in range(2))  # drain, then join
    p1.join()
    p2.join()
    for n, count in sorted(counts.items()):
        print(f"Process {n}: {count}")
    print(f"2 processes and a queue: {time.perf_counter() - start:.3f} s")
    assert last != 2_000_000 or counts == {1: 78498, 2: 70435}
    tour.result("counts", f"{counts[1]}+{counts[2]}")

    for size in (60_000, 70_000, 1_000_000):
        q = Queue()
        p = Process(target=put_much, args=(size, q))
        p.start()
        p.join(max(0.5, tour.scaled(3)))  # without the timeout: for ever
        print(f"join, then get() of {size} bytes: " + ("the join hangs" if p.is_alive() else "they came"), flush=True)
        assert len(q.get()) == size
        p.join()


if __name__ == "__main__":
    run(main)
