"""Who decides whose turn it is: the system, or those who run?"""

import asyncio
import os
import resource
import time
from threading import Event, Thread

from support import run

TICK, HOG, ALONE, ENOUGH = 0.1, 1, 0.35, 3


def compute():
    return sum(range(5_000))


class Ticker:
    def __init__(self):
        self.ticks = 0
        self.longest = 0
        self.last = time.perf_counter()

    def tick(self):
        self.pause()
        self.ticks += 1

    def pause(self):
        now = time.perf_counter()
        self.longest = max(self.longest, now - self.last)
        self.last = now


def show(how, ticks, ticker, turns):
    ticker.pause()
    print(f"{how:30}{ticks:3} ticks, {ticker.longest:.3f} s without at most; {turns}")


def share_a_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def interruptions():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def preemptive(tour):
    ticker, over = Ticker(), Event()
    ticks = interrupted = 0

    def ticking():
        share_a_core()
        while not over.wait(tour.scaled(TICK)):
            ticker.tick()

    def hog():
        nonlocal ticks, interrupted
        share_a_core()
        tour.sleep(ALONE)
        before, so_far = ticker.ticks, interruptions()
        end = time.perf_counter() + tour.scaled(HOG)
        while time.perf_counter() < end or ticker.ticks - before < ENOUGH:
            compute()
        ticks, interrupted = ticker.ticks - before, interruptions() - so_far
        tour.sleep(ALONE)

    t1, t2 = Thread(target=ticking), Thread(target=hog)
    t1.start()
    t2.start()
    t2.join()
    over.set()
    t1.join()
    show("threads:", ticks, ticker, f"the core was taken away {interrupted} times")
    return ticks


async def cooperative(tour, polite):
    ticker = Ticker()
    yields = 0

    async def tick_for_ever():
        while True:
            await asyncio.sleep(tour.scaled(TICK))
            ticker.tick()

    ticking = asyncio.create_task(tick_for_ever())
    await asyncio.sleep(tour.scaled(ALONE))
    before = ticker.ticks
    end = time.perf_counter() + tour.scaled(HOG)
    while time.perf_counter() < end or (polite and ticker.ticks - before < ENOUGH):
        compute()
        if polite:
            await asyncio.sleep(0)
            yields += 1
    ticks = ticker.ticks - before
    await asyncio.sleep(tour.scaled(ALONE))
    ticking.cancel()
    how = "coroutines, with sleep(0):" if polite else "coroutines, no await:"
    show(how, ticks, ticker, f"{yields} yields")
    return ticks


def main(tour):
    threads = preemptive(tour)
    no_await = asyncio.run(cooperative(tour, False))
    polite = asyncio.run(cooperative(tour, True))
    tour.result("a thread ticks beside one that computes", threads >= ENOUGH)
    tour.result("ticks beside a coroutine that never awaits", no_await)
    tour.result("a coroutine ticks beside one that yields", polite >= ENOUGH)


run(main)
