"""A chain of four tasks on four threads: as slow as on one."""

import time
from concurrent.futures import ThreadPoolExecutor

from support import run

TASKS = 4


def main(tour):
    def step(value):
        tour.sleep(0.3)
        return value + 1

    def independent(executor):
        futures = [executor.submit(step, 0) for _ in range(TASKS)]
        return sum(future.result() for future in futures)

    def chain(executor):
        last = executor.submit(step, 0)
        for _ in range(TASKS - 1):
            # Blocks a worker until the one before is done: with fewer workers it would hang.
            last = executor.submit(lambda before: step(before.result()), last)
        return last.result()

    def tree(executor):
        def add(left, right):
            return step(left.result() + right.result() - 1)

        leaves = [executor.submit(step, 0) for _ in range(TASKS)]
        left, right = executor.submit(add, *leaves[:2]), executor.submit(add, *leaves[2:])
        return executor.submit(add, left, right).result()

    least = {independent: 1, chain: TASKS, tree: 3}
    for shape in (independent, chain, tree):
        with ThreadPoolExecutor(TASKS) as executor:
            start = time.perf_counter()
            result = shape(executor)
            wall = time.perf_counter() - start
        print(f"{shape.__name__:12}{wall:.2f} s, result {result}")
        assert result == TASKS
        tour.result(shape.__name__, result)
        assert wall >= least[shape] * tour.scaled(0.3)


run(main)
