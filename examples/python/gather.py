"""All at once, and their results in order: three sleeps, then ten thousand."""

import asyncio
import time

from support import run


def main(tour):
    async def nap(number):
        await asyncio.sleep(tour.scaled(1))
        return number

    async def amain():
        start = time.perf_counter()
        three = await asyncio.gather(nap(1), nap(2), nap(3))
        print(f"{three}  {time.perf_counter() - start:.3f} s wall")
        start = time.perf_counter()
        naps = await asyncio.gather(*[nap(i) for i in range(10_000)])
        print(f"{len(naps)} naps  {time.perf_counter() - start:.3f} s wall")
        tour.result("three", "".join(map(str, three)))
        tour.result("sum of ten thousand", sum(naps))

    asyncio.run(amain())


run(main)
