"""Three awaits in a row take the sum of their times."""

import asyncio
import time

from support import run


def main(tour):
    async def amain():
        sleeps = 0
        for _ in range(3):
            await asyncio.sleep(tour.scaled(1))
            sleeps += 1
        return sleeps

    start = time.perf_counter()
    sleeps = asyncio.run(amain())
    print(f"{time.perf_counter() - start:.3f} s wall")
    tour.result("sleeps", sleeps)


run(main)
