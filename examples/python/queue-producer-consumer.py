"""One thread makes, another consumes, a queue between them."""

import queue
import threading
import time

from support import run

ITEMS = 5


def with_sentinel(tour):
    q = queue.Queue()
    consumed = []

    def producer():
        for i in range(ITEMS):
            item = f"time-{i}"
            print(f"make {item}")
            q.put(item)
            tour.sleep(1)

    def consumer():
        while True:
            item = q.get()
            if item is None:
                break
            print(f"consume {item}")
            consumed.append(item)
            q.task_done()

    thread_producer = threading.Thread(target=producer)
    thread_consumer = threading.Thread(target=consumer)
    thread_producer.start()
    thread_consumer.start()
    thread_producer.join()
    q.put(None)
    thread_consumer.join()
    print(f"unfinished tasks: {q.unfinished_tasks}, the sentinel; a join() would hang")
    assert consumed == [f"time-{i}" for i in range(ITEMS)]
    assert q.unfinished_tasks == 1
    tour.result("consumed", len(consumed))
    tour.result("unfinished because of the sentinel", q.unfinished_tasks)


def with_shutdown(tour, consumers):
    q = queue.Queue()
    consumed = []

    def consumer(n):
        while True:
            try:
                item = q.get()
            except queue.ShutDown:
                break
            print(f"consumer {n}: {item}")
            consumed.append(item)

    threads = [threading.Thread(target=consumer, args=(n,)) for n in range(consumers)]
    for t in threads:
        t.start()
    for i in range(ITEMS):
        q.put(f"time-{i}")
        tour.sleep(0.1)
    q.shutdown()
    for t in threads:
        t.join()
    try:
        q.put("too late")
    except queue.ShutDown:
        print("put() after shutdown(): ShutDown")
    assert len(consumed) == ITEMS


def with_join(tour):
    q = queue.Queue()
    done = []

    def consumer():
        while True:
            item = q.get()
            tour.sleep(0.1)
            print(f"done: {item}")
            done.append(item)
            q.task_done()

    threading.Thread(target=consumer, daemon=True).start()
    for i in range(ITEMS):
        q.put(f"time-{i}")
    q.join()
    print(f"join() is back: {len(done)} of {ITEMS} are done, {q.unfinished_tasks} unfinished")
    assert len(done) == ITEMS


def send(how, q, items):
    received = []

    def producer():
        for i in range(items + 1):
            q.put(i)

    def consumer():
        while (i := q.get()) != items:
            received.append(i)

    start = time.perf_counter()
    threads = [threading.Thread(target=producer), threading.Thread(target=consumer)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    wall = time.perf_counter() - start
    print(f"{how:26}{items} items  {wall:.3f} s wall  {wall / items * 1e9:.0f} ns each")
    assert received == list(range(items))


def main(tour):
    print("1. a sentinel:")
    with_sentinel(tour)
    if hasattr(queue, "ShutDown"):
        print("2. shutdown():")
        with_shutdown(tour, tour.threads(2))
    else:
        print("2. shutdown(): not before Python 3.13")
    print("3. task_done() and join():")
    with_join(tour)
    print("4. without a sleep:")
    items = tour.size(100_000)
    send("Queue()", queue.Queue(), items)
    send("Queue(64)", queue.Queue(64), items)
    send("SimpleQueue()", queue.SimpleQueue(), items)


run(main)
