"""A task that waits for another task of its own pool: it waits for ever."""

from concurrent.futures import ThreadPoolExecutor, TimeoutError

from support import run


def main(tour):
    executor = ThreadPoolExecutor(1)

    def inner():
        return 42

    def outer():
        print("  the outer task submits an inner one and waits for it")
        future = executor.submit(inner)
        try:
            return future.result(timeout=tour.scaled(3))  # without the timeout: for ever
        except TimeoutError:
            print(f"  still waiting after {tour.scaled(3):.2f} s: the only worker is the one that waits")
            return None

    assert executor.submit(outer).result() is None
    executor.shutdown()

    with ThreadPoolExecutor(2) as executor:
        answer = executor.submit(lambda: executor.submit(inner).result()).result()
        print(f"with two workers: {answer}; with three levels of tasks it would hang again")
    assert answer == 42
    tour.result("inner result", answer)


run(main)
