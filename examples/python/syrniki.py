"""Two girls make cheese pancakes: who waits with idle hands?"""

import asyncio
import selectors
import time
from threading import Thread

from support import run


async def masha(minute):
    loop = asyncio.get_running_loop()
    start = loop.time()
    curd = asyncio.create_task(asyncio.sleep(5 * minute))
    await asyncio.sleep(5 * minute)  # eggs, sugar, berries, flour
    await curd
    await asyncio.sleep(2 * minute)  # the queue
    shop = loop.time() - start

    pan = asyncio.create_task(asyncio.sleep(10 * minute))
    await asyncio.sleep(10 * minute)  # dough
    await pan
    return shop / minute, (loop.time() - start) / minute


async def dasha(minute):
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.sleep(5 * minute)  # curd
    await asyncio.sleep(5 * minute)  # eggs, sugar, berries, flour
    await asyncio.sleep(2 * minute)  # the queue
    shop = loop.time() - start

    await asyncio.sleep(10 * minute)  # the pan gets hot
    await asyncio.sleep(10 * minute)  # dough
    return shop / minute, (loop.time() - start) / minute


def masha_by_threads(minute):
    start = time.perf_counter()
    curd = Thread(target=time.sleep, args=(5 * minute,))
    curd.start()
    time.sleep(5 * minute)
    curd.join()
    time.sleep(2 * minute)
    shop = time.perf_counter() - start

    pan = Thread(target=time.sleep, args=(10 * minute,))
    pan.start()
    time.sleep(10 * minute)
    pan.join()
    return shop / minute, (time.perf_counter() - start) / minute


async def race(minute):
    return await asyncio.gather(masha(minute), dasha(minute))


class VirtualClock(asyncio.SelectorEventLoop):
    """When nobody has anything to do, it is at once the time of the next timer."""

    class Selector(selectors.SelectSelector):
        now = 0.0

        def select(self, timeout=None):
            self.now += timeout or 0
            return super().select(0)

    def __init__(self):
        self.clock = self.Selector()
        super().__init__(self.clock)

    def time(self):
        return self.clock.now


def show(who, minutes):
    shop, everything = minutes
    print(f"{who:24}shop {shop:4.1f}, all {everything:4.1f}")


def main(tour):
    minute = tour.scaled(0.05)
    start = time.perf_counter()
    masha_here, dasha_here = asyncio.run(race(minute))
    print(f"a minute takes {minute:.4f} s, the race {time.perf_counter() - start:.3f} s wall")
    by_threads = masha_by_threads(minute)

    loop = VirtualClock()
    exact = loop.run_until_complete(race(60))
    loop.close()

    print("minutes:")
    show("Masha", masha_here)
    show("Masha, by threads", by_threads)
    show("Dasha", dasha_here)
    print("minutes on the clock that jumps:")
    show("Masha", exact[0])
    show("Dasha", exact[1])
    (masha_shop, masha_all), (dasha_shop, dasha_all) = exact
    tour.result("Masha, shop", masha_shop)
    tour.result("Masha", masha_all)
    tour.result("Dasha, shop", dasha_shop)
    tour.result("Dasha", dasha_all)


run(main)
