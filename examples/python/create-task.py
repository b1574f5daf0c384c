"""Three coroutines at the same time, in one thread."""

import asyncio
import time

from support import run


def main(tour):
    async def say_after(delay, what):
        await asyncio.sleep(tour.scaled(delay))
        print(what)
        return what

    async def amain():
        task1 = asyncio.create_task(say_after(1, "one"))
        task2 = asyncio.create_task(say_after(1, "two"))
        task3 = asyncio.create_task(say_after(1, "three"))
        return " ".join([await task1, await task2, await task3])

    start = time.perf_counter()
    said = asyncio.run(amain())
    print(f"{time.perf_counter() - start:.3f} s wall")
    tour.result("said", said)


run(main)
