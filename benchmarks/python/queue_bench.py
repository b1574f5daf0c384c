#!/usr/bin/env python3
"""CPython's queues in the cases of queue/*_bench.cpp, beside nogil's if its program is given.

    python3 benchmarks/python/queue_bench.py
    python3 benchmarks/python/queue_bench.py build/bench/benchmarks/nogil-bench

Each figure is the median of five holds. With the program, ours are measured in turn with
CPython's, so that both see the same machine, and the last column is theirs / ours.
It says how much there is to win by moving a queue out of Python, and no more: a CPython
with a GIL runs one thread at a time, so there is nothing parallel about its streams.
"""

import itertools
import queue
import statistics
import sys
import threading
import time

from beside import options_of, ours_of, text_of

HOLDS = 5


# ---- The cases: each returns the seconds that `turns` of them took -------------------------


def put_get(make, turns, depth=1):
    """One thread puts `depth` numbers, then gets them."""
    q = make()
    expected = got = 0
    began = time.perf_counter()
    for first in range(0, turns, depth):
        for number in range(first, first + depth):
            q.put(number)
        for _ in range(depth):
            got += q.get()
    took = time.perf_counter() - began
    last = (turns + depth - 1) // depth * depth
    expected = last * (last - 1) // 2
    assert got == expected, "not all that was put came out"
    return took * turns / last


def puts_16_gets_16(make, turns):
    return put_get(make, turns, 16)


def put_get_at_1000(make, turns):
    """One thread puts a number and gets the smallest, while 1000 others lie in the queue."""
    q = make()
    steps = [(i * 2654435761) % 2**20 for i in range(4096)]
    for step in steps[:1000]:
        q.put(step)
    smallest = 0
    numbers = itertools.cycle(steps)
    began = time.perf_counter()
    for _ in range(turns):
        q.put(smallest + next(numbers))
        got = q.get()
        assert got >= smallest, "a larger number came before a smaller one"
        smallest = got
    return time.perf_counter() - began


def ping_pong(make, turns):
    """A number to and fro between two threads, through two queues."""
    ping, pong = make(), make()

    def partner():
        for _ in range(turns):
            pong.put(ping.get() + 1)

    thread = threading.Thread(target=partner)
    thread.start()
    number = 0
    began = time.perf_counter()
    for _ in range(turns):
        ping.put(number)
        number = pong.get()
    took = time.perf_counter() - began
    thread.join()
    assert number == turns, "a turn was lost"
    return took


def stream(make, turns, producers, consumers, with_join=False):
    """Producers put, consumers get, each its part of all elements."""
    q = make()
    sums = []

    def produce(count):
        for number in range(count):
            q.put(number)
        if with_join:
            q.join()

    def consume(count):
        total = 0
        for _ in range(count):
            total += q.get()
            if with_join:
                q.task_done()
        sums.append(total)

    def parts(threads):
        return [turns // threads + (number < turns % threads) for number in range(threads)]

    team = [threading.Thread(target=produce, args=(count,)) for count in parts(producers)]
    team += [threading.Thread(target=consume, args=(count,)) for count in parts(consumers)]
    began = time.perf_counter()
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    took = time.perf_counter() - began
    assert sum(sums) == sum(count * (count - 1) // 2 for count in parts(producers)), "not all that was put came out"
    return took


def of_shape(producers, consumers, with_join=False):
    return lambda make, turns: stream(make, turns, producers, consumers, with_join)


def bounded(maxsize):
    return lambda: queue.Queue(maxsize)


def blocked_get(make, turns):
    """The CPU time of the process while a thread waits 50 ms for an element."""
    q = make()
    took = 0.0
    for _ in range(turns):
        thread = threading.Thread(target=q.get)
        thread.start()
        before = time.process_time()
        time.sleep(0.05)
        took += time.process_time() - before
        q.put(None)
        thread.join()
    return took


# (our case, our rival, their name, their queue, the case, turns)
Q, S = "nogil::Queue", "nogil::SimpleQueue"
CASES = [
    ("queue_put_get", Q, "queue.Queue", queue.Queue, put_get, 50_000),
    ("queue_16_puts_16_gets", Q, "queue.Queue", queue.Queue, puts_16_gets_16, 50_000),
    ("queue_ping_pong", Q, "queue.Queue", queue.Queue, ping_pong, 2_000),
    ("queue_1p1c", Q, "queue.Queue", queue.Queue, of_shape(1, 1), 20_000),
    ("queue_2p2c", Q, "queue.Queue", queue.Queue, of_shape(2, 2), 20_000),
    ("queue_4p4c", Q, "queue.Queue", queue.Queue, of_shape(4, 4), 20_000),
    ("queue_4p1c", Q, "queue.Queue", queue.Queue, of_shape(4, 1), 20_000),
    ("queue_1p4c", Q, "queue.Queue", queue.Queue, of_shape(1, 4), 20_000),
    ("queue_capacity_64_1p1c", Q, "queue.Queue", bounded(64), of_shape(1, 1), 20_000),
    ("queue_capacity_1024_1p1c", Q, "queue.Queue", bounded(1024), of_shape(1, 1), 20_000),
    ("queue_task_done_join", Q, "queue.Queue", queue.Queue, of_shape(1, 1, True), 20_000),
    ("queue_blocked_get", Q, "queue.Queue", queue.Queue, blocked_get, 1),
    ("simple_queue_put_get", S, "queue.SimpleQueue", queue.SimpleQueue, put_get, 200_000),
    ("simple_queue_ping_pong", S, "queue.SimpleQueue", queue.SimpleQueue, ping_pong, 2_000),
    ("simple_queue_1p1c", S, "queue.SimpleQueue", queue.SimpleQueue, of_shape(1, 1), 200_000),
    ("lifo_put_get", "nogil::LifoQueue", "queue.LifoQueue", queue.LifoQueue, put_get, 50_000),
    ("priority_put_get", "nogil::PriorityQueue", "queue.PriorityQueue", queue.PriorityQueue, put_get, 50_000),
    ("priority_put_get_at_1000", "nogil::PriorityQueue", "queue.PriorityQueue", queue.PriorityQueue,
     put_get_at_1000, 50_000),
]  # fmt: skip


def main():
    options = options_of(__doc__, HOLDS)

    print(f"CPython {sys.version.split()[0]}, medians of {options.holds}\n")
    row = "| {:<26} | {:<19} | {:>10} | {:>10} | {:>12} |"
    print(row.format("case", "CPython's", "time", "nogil", "time / nogil"))
    print("|" + "|".join("-" * width for width in (28, 21, 12, 12, 14)) + "|")
    for case, rival, name, make, run, turns in CASES:
        if options.filter not in case:
            continue
        theirs, ours = [], []
        for _ in range(options.holds):
            theirs.append(run(make, turns) / turns * 1e9)
            if options.program:
                ours.append(ours_of(options.program, case, rival))
        their_time = statistics.median(theirs)
        our_time = statistics.median(ours) if ours and None not in ours else None
        ratio = f"{their_time / our_time:.1f}" if our_time else "-"
        print(row.format(case, name, text_of(their_time), text_of(our_time), ratio), flush=True)


if __name__ == "__main__":
    main()
