"""Sequential, threads, async, processes: the notebook's table, measured."""

import asyncio
import multiprocessing
import os
import threading
import time
from functools import partial

from held import held_by_processes, held_by_tasks, held_by_threads
from models import MODELS, by_each_model, count_part, count_part_async
from support import run

WAITS = 16


def wait(length, number):
    time.sleep(length)
    return number


async def wait_async(length, number):
    await asyncio.sleep(length)
    return number


def nothing():
    pass


async def async_nothing():
    pass


def start_and_end(times, kind):
    start = time.perf_counter()
    for _ in range(times):
        one = kind(target=nothing)
        one.start()
        one.join()
    return (time.perf_counter() - start) * 1e6 / times


async def start_and_end_of_tasks(times):
    start = time.perf_counter()
    for _ in range(times):
        await asyncio.create_task(async_nothing())
    return (time.perf_counter() - start) * 1e6 / times


def main(tour):
    tasks = tour.size(10_000, 2_000)
    held = {
        "async": held_by_tasks(tasks),
        "threads": held_by_threads(tour.size(500, 50)),
        "processes": held_by_processes(4),
    }
    started = {
        "async": asyncio.run(start_and_end_of_tasks(tasks)),
        "threads": start_and_end(tour.size(200, 20), threading.Thread),
        "processes": start_and_end(tour.size(50, 5), multiprocessing.Process),
    }
    length = tour.scaled(0.1)
    waits, numbers = by_each_model(WAITS, WAITS, partial(wait, length), partial(wait_async, length))
    job = (tour.size(1_000_000, 200_000), 32)
    workers = tour.threads(len(os.sched_getaffinity(0)))
    primes, counted = by_each_model(job[1], workers, partial(count_part, *job), partial(count_part_async, *job))

    def row(aspect, cell):
        print(f"{aspect:26}" + "".join(f"{cell(model):15}" for model in MODELS))

    row("", str)
    row("cores that compute", lambda model: f"{sum(cpu for _, cpu in counted[model]) / primes[model]:.1f}")
    row(f"primes below {job[0]}", lambda model: f"{primes[model]:.3f} s")
    row(f"{WAITS} waits of {length:.3f} s", lambda model: f"{waits[model]:.3f} s")
    row("to start one, to its end", lambda model: f"{started[model]:.1f} us" if model in started else "-")
    row("memory of one that waits", lambda model: f"{held[model][1]:.1f} KiB" if model in held else "-")

    counts = {sum(n for n, _ in counted[model]) for model in MODELS}
    tour.result("primes", max(counts))
    tour.result("in each model", len(counts) == 1)
    tour.result("waits", len(numbers["async"]))
    tour.result("results in order in each model", all(numbers[model] == numbers["sequential"] for model in MODELS))


if __name__ == "__main__":
    run(main)
