"""A coroutine that waits in the middle."""

import asyncio
import time

from support import run


def main(tour):
    lines = 0

    async def amain():
        nonlocal lines
        print("Hello ...")
        lines += 1
        await asyncio.sleep(tour.scaled(1))
        print("... World!")
        lines += 1

    start = time.perf_counter()
    coroutine = amain()
    tour.result("lines before run()", lines)
    asyncio.run(coroutine)
    print(f"{time.perf_counter() - start:.3f} s wall")
    tour.result("lines", lines)


run(main)
