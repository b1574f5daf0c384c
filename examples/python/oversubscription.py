"""The same work by 1 to 64 threads."""

import resource
import threading
import time

from support import run

PIECES = 256


def work_on(piece, size):
    count = 0
    for number in range(piece * size, (piece + 1) * size):
        count += number >= 2 and all(number % i for i in range(2, int(number**0.5) + 1))
    return count


def main(tour):
    size = tour.size(6_000)
    print("threads    wall       CPU     switches: voluntary involuntary")
    results = set()
    for n in (1, 2, 4, 8, tour.threads(64)):
        pieces, lock, result = iter(range(PIECES)), threading.Lock(), []

        def work():
            while True:
                with lock:
                    piece = next(pieces, None)
                if piece is None:
                    return
                result.append(work_on(piece, size))

        before = resource.getrusage(resource.RUSAGE_SELF)
        wall, cpu = time.perf_counter(), time.process_time()
        threads = [threading.Thread(target=work) for _ in range(n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        after = resource.getrusage(resource.RUSAGE_SELF)
        print(
            f"{n:7}{wall:8.3f} s{cpu:8.3f} s{after.ru_nvcsw - before.ru_nvcsw:19}"
            f"{after.ru_nivcsw - before.ru_nivcsw:12}"
        )
        results.add(sum(result))
    assert len(results) == 1
    tour.result("runs with the same result", 5)


run(main)
