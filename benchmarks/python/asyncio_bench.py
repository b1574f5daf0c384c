#!/usr/bin/env python3
"""CPython's asyncio in the cases of asyncio/*_bench.cpp, beside nogil's if its program is given.

    python3 benchmarks/python/asyncio_bench.py
    python3 benchmarks/python/asyncio_bench.py build/bench/benchmarks/nogil-bench

Each figure is the median of five holds. With the program, ours are measured in turn with
CPython's, so that both see the same machine; then come theirs / ours, and what we set
ourselves as a goal. One thread runs on either side, so the GIL has no part in it.
"""

import asyncio
import statistics
import sys
import threading
import time

from beside import options_of, ours_of, text_of

HOLDS = 5


async def one():
    return 1


# ---- The cases: each does so many turns in a loop, and returns how many it did ---------------


async def awaits(count):
    """A coroutine awaits another one that does not wait."""
    return sum([await one() for _ in range(count)])


async def create_tasks(count):
    """It makes a task of it and awaits that."""
    return sum([await asyncio.create_task(one()) for _ in range(count)])


async def yields(count):
    """A coroutine lets others run, though there are none."""
    for _ in range(count):
        await asyncio.sleep(0)
    return count


async def timers(count):
    """Tasks sleep until moments that have passed when the last of them begins."""
    for nap in [asyncio.create_task(asyncio.sleep((1 + i) * 1e-9)) for i in range(count)]:
        await nap
    return count


async def cancels(count):
    """A task that sleeps is cancelled and awaited."""
    cancelled = 0
    for _ in range(count):
        task = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            cancelled += 1
    return cancelled


async def wakes(count):
    """Another thread has the sleeping loop call something, and waits until it has."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    woken = 0

    def wake():
        nonlocal woken
        woken += 1

    def other():
        for turn in range(1, count + 1):
            loop.call_soon_threadsafe(wake)
            while woken != turn:
                time.sleep(0)
        loop.call_soon_threadsafe(over.set)

    thread = threading.Thread(target=other)
    thread.start()
    await over.wait()
    thread.join()
    return woken


async def gathers(count):
    """Tasks that end at once, and their results."""
    return sum(await asyncio.gather(*[one() for _ in range(count)]))


async def locks(count):
    """Nobody else wants the lock."""
    lock = asyncio.Lock()
    for _ in range(count):
        await lock.acquire()
        lock.release()
    return count


async def round_trips(count):
    """A number to and fro between two tasks, through two queues."""
    ping, pong = asyncio.Queue(1), asyncio.Queue(1)

    async def partner():
        for _ in range(count):
            await pong.put(await ping.get() + 1)

    other = asyncio.create_task(partner())
    number = 0
    for _ in range(count):
        await ping.put(number)
        number = await pong.get()
    await other
    return number


# (our case, our rival, the case, turns, theirs / ours at least)
CASES = [
    ("asyncio_await", "nogil::asyncio", awaits, 100_000, None),
    ("asyncio_create_task", "nogil::asyncio", create_tasks, 20_000, 100),
    ("asyncio_yield", "nogil::asyncio", yields, 50_000, 80),
    ("asyncio_100000_timers", "nogil::asyncio", timers, 100_000, None),
    ("asyncio_cancel_and_join", "nogil::asyncio", cancels, 10_000, 5),
    ("asyncio_wake_from_thread", "nogil::asyncio", wakes, 2_000, None),
    ("gather_100000", "nogil::asyncio::gather", gathers, 100_000, None),
    ("lock_alone", "nogil::asyncio::Lock", locks, 50_000, None),
    ("queue_round_trip", "nogil::asyncio::Queue", round_trips, 20_000, 200),
]


def theirs_of(case, turns):
    """One hold of CPython's, in ns a turn."""
    began = time.perf_counter()
    done = asyncio.run(case(turns))
    took = time.perf_counter() - began
    assert done == turns, "not all turns were done"
    return took / turns * 1e9


def main():
    options = options_of(__doc__, HOLDS)

    print(f"CPython {sys.version.split()[0]}, medians of {options.holds}\n")
    row = "| {:<24} | {:>10} | {:>10} | {:>12} | {:>8} |"
    print(row.format("case", "CPython", "nogil", "time / nogil", "wanted"))
    print("|" + "|".join("-" * width for width in (26, 12, 12, 14, 10)) + "|")
    for case, rival, run, turns, wanted in CASES:
        if options.filter not in case:
            continue
        theirs, ours = [], []
        for _ in range(options.holds):
            theirs.append(theirs_of(run, turns))
            if options.program:
                ours.append(ours_of(options.program, case, rival))
        their_time = statistics.median(theirs)
        our_time = statistics.median(ours) if ours and None not in ours else None
        ratio = f"{their_time / our_time:.1f}" if our_time else "-"
        print(row.format(case, text_of(their_time), text_of(our_time), ratio, f">= {wanted}" if wanted else "-"),
              flush=True)


if __name__ == "__main__":
    main()
