"""The same five jobs by submit and by map."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from support import run

DELAYS = (0.5, 0.1, 0.4, 0.2, 0.3)


def main(tour):
    def job(n):
        tour.sleep(DELAYS[n])
        if n == 3:
            raise ValueError(f"job {n} does not work")
        return n * n

    print("submit and as_completed: whatever is ready")
    submitted = []
    with ThreadPoolExecutor(5) as executor:
        futures = [executor.submit(job, n) for n in range(5)]
        for future in as_completed(futures):
            try:
                submitted.append(future.result())
                print(f"  ready: {submitted[-1]}")
            except ValueError as error:
                print(f"  ready: ValueError: {error}")

    print("map: one after the other, up to the one that failed")
    mapped = []
    with ThreadPoolExecutor(5) as executor:
        try:
            for result in executor.map(job, range(5)):
                mapped.append(result)
                print(f"  next: {result}")
        except ValueError as error:
            print(f"  next: ValueError: {error}")

    with ThreadPoolExecutor(1) as executor:
        let_go = threading.Event()
        executor.submit(let_go.wait)
        power = executor.submit(pow, 2, 10)
        words = executor.submit("hello, {}".format, "pool")
        unwanted = executor.submit(lambda: 0)
        cancelled = unwanted.cancel()
        let_go.set()
        print(
            f"submit(pow, 2, 10) -> {power.result()}; submit(hello, 'pool') -> {words.result()}; "
            f"cancelled before it began: {'true' if cancelled else 'false'}"
        )
    assert sorted(submitted) == [0, 1, 4, 16]
    assert mapped == [0, 1, 4]
    assert cancelled
    tour.result("results of submit", len(submitted))
    tour.result("results of map before the error", len(mapped))


run(main)
