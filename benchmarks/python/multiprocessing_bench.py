#!/usr/bin/env python3
"""CPython's pools and queues in the cases of multiprocessing/*_bench.cpp, beside nogil's if its program is given.

    python3 benchmarks/python/multiprocessing_bench.py
    python3 benchmarks/python/multiprocessing_bench.py build/bench/benchmarks/nogil-bench

Each figure is the median of five holds. With the program, ours are measured in turn with
CPython's, so that both see the same machine; then come theirs / ours, and what we set
ourselves as a goal. CPython's processes are started with fork, its fastest way.
"""

import mmap
import multiprocessing
import os
import signal
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from beside import options_of, ours_of, text_of

HOLDS = 5
CORES = len(os.sched_getaffinity(0))
fork = multiprocessing.get_context("fork")


def following(n):
    return n + 1


def nothing():
    pass


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def executor(workers=1):
    pool = ProcessPoolExecutor(workers, mp_context=fork)
    for future in [pool.submit(following, 0) for _ in range(4 * workers)]:
        future.result()
    return pool


def median_of(times, body, prepare=lambda: None):
    took = []
    for _ in range(times):
        prepare()
        began = time.perf_counter()
        body()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


# ---- The cases: each returns the seconds that one turn took --------------------------------


def round_trip():
    with executor() as pool:
        turns, n = 2000, 0
        began = time.perf_counter()
        for _ in range(turns):
            n = pool.submit(following, n).result()
        took = time.perf_counter() - began
    assert n == turns
    return took / turns


def pool_round_trip():
    with fork.Pool(1) as pool:
        turns, n = 2000, pool.apply(following, (-1,))
        began = time.perf_counter()
        for _ in range(turns):
            n = pool.apply(following, (n,))
        took = time.perf_counter() - began
    assert n == turns
    return took / turns


def round_trip_cold():
    """After a millisecond in which nothing happened: everybody sleeps."""
    with executor() as pool:
        return median_of(200, lambda: pool.submit(following, 1).result(), lambda: time.sleep(0.001))


def spin():
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    while True:
        pass


def round_trip_busy():
    """While as many processes as there are cores compute."""
    busy = [fork.Process(target=spin, daemon=True) for _ in range(CORES)]
    with executor() as pool:
        for one in busy:
            one.start()
        took = median_of(200, lambda: pool.submit(following, 1).result())
    for one in busy:
        one.kill()
        one.join()
    return took


def tiny_tasks():
    turns = 10_000
    with executor(CORES) as pool:
        began = time.perf_counter()
        futures = [pool.submit(following, i) for i in range(turns)]
        got = sum(future.result() for future in futures)
        took = time.perf_counter() - began
    assert got == turns * (turns + 1) // 2
    return took / turns


def map_1000():
    numbers = list(range(100_000))
    with fork.Pool(CORES) as pool:
        pool.map(following, numbers, 1000)
        began = time.perf_counter()
        for _ in range(10):
            results = pool.map(following, numbers, 1000)
        took = time.perf_counter() - began
    assert results[-1] == 100_000
    return took / 10 / len(numbers)


def argument_1mib():
    text = b"x" * 2**20
    with executor() as pool:
        turns = 100
        began = time.perf_counter()
        for _ in range(turns):
            assert pool.submit(len, text).result() == len(text)
        return (time.perf_counter() - began) / turns


def crash_told():
    took = []
    for _ in range(20):
        with executor() as pool:
            began = time.perf_counter()
            try:
                pool.submit(die).result()
                raise AssertionError("it has a result")
            except BrokenProcessPool:
                took.append(time.perf_counter() - began)
    return statistics.median(took)


def start_join(times=50):
    def start_and_join():
        one = fork.Process(target=nothing)
        one.start()
        one.join()

    return median_of(times, start_and_join)


def start_join_256mib():
    memory = mmap.mmap(-1, 256 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(0, len(memory), 4096):
        memory[page] = 1
    took = start_join(20)
    memory.close()
    return took


def produce(orders, numbers):
    while True:
        for i in range(orders.get()):
            numbers.put(i)


def send(line):
    while True:
        for i in range(line.recv()):
            line.send(i)


def stream(kind):
    def run(turns=10_000):
        orders, numbers = kind(), kind()
        child = fork.Process(target=produce, args=(orders, numbers), daemon=True)
        child.start()
        orders.put(1)
        numbers.get()
        began = time.perf_counter()
        orders.put(turns)
        got = sum(numbers.get() for _ in range(turns))
        took = time.perf_counter() - began
        child.kill()
        child.join()
        assert got == turns * (turns - 1) // 2
        return took / turns

    return run


def pipe_stream(turns=10_000):
    here, there = fork.Pipe()
    child = fork.Process(target=send, args=(there,), daemon=True)
    child.start()
    here.send(1)
    here.recv()
    began = time.perf_counter()
    here.send(turns)
    got = sum(here.recv() for _ in range(turns))
    took = time.perf_counter() - began
    child.kill()
    child.join()
    assert got == turns * (turns - 1) // 2
    return took / turns


# (our case, our rival, CPython's name, the case, how many times as fast ours is to be)
POOL, PROCESS = "nogil::mp::ProcessPoolExecutor", "nogil::mp::Process"
CASES = [
    ("mp_round_trip", POOL, "ProcessPoolExecutor", round_trip, 100),
    ("mp_round_trip", "nogil::mp::Pool", "Pool.apply", pool_round_trip, 100),
    ("mp_round_trip_cold", POOL, "ProcessPoolExecutor", round_trip_cold, 3),
    ("mp_round_trip_busy", POOL, "ProcessPoolExecutor", round_trip_busy, 3),
    ("mp_tiny_tasks", POOL, "ProcessPoolExecutor", tiny_tasks, 80),
    ("mp_map_1000", "nogil::mp::Pool", "Pool.map", map_1000, 1),
    ("mp_argument_1mib", POOL, "ProcessPoolExecutor", argument_1mib, 12),
    ("mp_crash_told", POOL, "ProcessPoolExecutor", crash_told, None),
    ("process_start_join", PROCESS, "Process", start_join, None),
    ("process_start_join_256mib", PROCESS, "Process", start_join_256mib, 10),
    ("mp_stream", "nogil::mp::Queue", "Queue", stream(fork.Queue), None),
    ("mp_stream", "nogil::mp::SimpleQueue", "SimpleQueue", stream(fork.SimpleQueue), None),
    ("mp_stream", "nogil::mp::Pipe", "Pipe", pipe_stream, None),
]


def main():
    options = options_of(__doc__, HOLDS)

    print(f"CPython {sys.version.split()[0]}, medians of {options.holds}\n")
    row = "| {:<26} | {:<19} | {:>10} | {:>10} | {:>12} | {:>6} | {:<6} |"
    print(row.format("case", "CPython's", "time", "nogil", "time / nogil", "wanted", ""))
    print("|" + "|".join("-" * width for width in (28, 21, 12, 12, 14, 8, 8)) + "|")
    for case, rival, name, run, wanted in CASES:
        if options.filter not in case:
            continue
        theirs, ours = [], []
        for _ in range(options.holds):
            theirs.append(run() * 1e9)
            if options.program:
                ours.append(ours_of(options.program, case, rival))
        their_time = statistics.median(theirs)
        our_time = statistics.median(ours) if ours and None not in ours else None
        ratio = their_time / our_time if our_time else None
        verdict = "" if ratio is None or wanted is None else "met" if ratio >= wanted else "MISSED"
        print(row.format(case, name, text_of(their_time), text_of(our_time), f"{ratio:.1f}" if ratio else "-",
                         wanted or "-", verdict), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
