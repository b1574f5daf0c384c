"""The four models of computing, with the same job each.

    wall, results = by_each_model(8, workers, square, async_square)
    results["threads"]                     # [0, 1, 4, ...]
"""

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

MODELS = ("sequential", "threads", "async", "processes")


def by_each_model(calls, workers, f, coroutine):
    """f(0), f(1), ... in each model. f can be sent to a process; coroutine awaits where f blocks."""

    def sequential():
        return [f(i) for i in range(calls)]

    def threads():
        with ThreadPoolExecutor(workers) as executor:
            return list(executor.map(f, range(calls)))

    def by_asyncio():
        async def amain():
            return await asyncio.gather(*map(coroutine, range(calls)))

        return asyncio.run(amain())

    def processes():
        with ProcessPoolExecutor(workers) as executor:
            return list(executor.map(f, range(calls)))

    wall, results = {}, {}
    for model, job in zip(MODELS, (sequential, threads, by_asyncio, processes)):
        start = time.perf_counter()
        results[model] = job()
        wall[model] = time.perf_counter() - start
    return wall, results


def is_prime(num):
    for i in range(2, int(num**0.5 + 1)):
        if num % i == 0:
            return False
    return True


def count_part(last, parts, part):
    """The primes of one part, and the seconds that it computed."""
    begin = time.thread_time()
    primes = sum(map(is_prime, range(max(2, last * part // parts), last * (part + 1) // parts)))
    return primes, time.thread_time() - begin


async def count_part_async(last, parts, part):
    await asyncio.sleep(0)
    return count_part(last, parts, part)
