"""What it costs to agree at every step."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from support import run


def main(tour):
    steps = tour.size(2_000_000)
    lock = threading.Lock()
    counter = 0

    def hot(mine):
        nonlocal counter
        for _ in range(mine):
            with lock:
                counter += 1

    def own(mine):
        nonlocal counter
        count = 0
        for _ in range(mine):
            count += 1
        with lock:
            counter += count

    print("threads  how")
    for workers in (1, 2, 4, tour.threads(8)):
        for how, function in (("a lock for each step", hot), ("own counts, one sum", own)):
            counter = 0
            with ThreadPoolExecutor(workers) as executor:
                start = time.perf_counter()
                futures = [
                    executor.submit(function, steps * (i + 1) // workers - steps * i // workers)
                    for i in range(workers)
                ]
                for future in futures:
                    future.result()
                wall = time.perf_counter() - start
            print(f"{workers:7}  {how:24}{wall:.3f} s wall{wall / steps * 1e9:9.2f} ns a step")
            assert counter == steps
    tour.result("steps", counter)


run(main)
