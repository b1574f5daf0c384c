"""What a thread and a process cost: to start, to call, to keep."""

import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import Process, get_context

from held import private
from support import run

x = 0


def set_x():
    global x
    x = 5


def nothing():
    pass


def same(n):
    return n


def median_us(times, call):
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1e6)
    return statistics.median(took)


def row(what, us):
    print(f"  {what:44}{us:10.1f} us", flush=True)


def start_and_join(kind):
    one = kind(target=nothing)
    one.start()
    one.join()


def main(tour):
    print("whose x?")
    p = Process(target=set_x)
    p.start()
    p.join()
    after_process = x
    t = threading.Thread(target=set_x)
    t.start()
    t.join()
    print(f"  a process sets x = 5, the parent sees {after_process}; a thread sets it: {x}")
    assert (after_process, x) == (0, 5)
    tour.result("x after a process", after_process)
    tour.result("x after a thread", x)

    print("to start one, and to wait for its end:")
    times = tour.size(50, 5)
    row("a thread", median_us(times, lambda: start_and_join(threading.Thread)))
    row("a process, fork", median_us(times, lambda: start_and_join(get_context("fork").Process)))
    row("a process, forkserver", median_us(times, lambda: start_and_join(get_context("forkserver").Process)))
    row("a process, spawn", median_us(tour.size(10, 3), lambda: start_and_join(get_context("spawn").Process)))

    print("to have a call made, and to get its result:")
    calls, large = tour.size(2_000, 100), b"x" * 2**20
    with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1) as processes:
        processes.submit(same, 0).result()
        row("by a thread of a pool", median_us(calls, lambda: threads.submit(same, 1).result()))
        row("by a process of a pool", median_us(calls, lambda: processes.submit(same, 1).result()))
        row("by a thread, 1 MiB", median_us(times, lambda: threads.submit(len, large).result()))
        row("by a process, 1 MiB", median_us(times, lambda: processes.submit(len, large).result()))
        print("memory of one that does nothing:")
        for pid in list(processes._processes):
            print(f"  a worker process: {private(pid)} KiB")


if __name__ == "__main__":
    run(main)
