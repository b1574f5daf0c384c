"""A blocking call in a coroutine stops all of them."""

import asyncio
import time

from support import run


def main(tour):
    async def blocking(number, order):
        order.append(number)
        tour.sleep(2)
        order.append(number)

    async def awaiting(number, order):
        order.append(number)
        await asyncio.sleep(tour.scaled(2))
        order.append(number)

    async def in_thread(number, order):
        order.append(number)
        await asyncio.to_thread(tour.sleep, 2)
        order.append(number)

    async def amain(task):
        order = []
        await asyncio.gather(task(0, order), task(1, order), task(2, order))
        return "".join(map(str, order))

    orders = {}
    for task in (blocking, awaiting, in_thread):
        start = time.perf_counter()
        orders[task] = asyncio.run(amain(task))
        print(f"{task.__name__:12}{orders[task]}  {time.perf_counter() - start:.3f} s wall")
    tour.result("blocking", orders[blocking])
    tour.result("awaiting", orders[awaiting])
    tour.result("in threads, sorted", "".join(sorted(orders[in_thread])))


run(main)
