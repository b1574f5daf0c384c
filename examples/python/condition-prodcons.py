"""Sleep until there is something in the list."""

import threading
import time

from support import run


def ping_pong(rounds):
    condition = threading.Condition()
    turn = 0

    def player(parity):
        nonlocal turn
        with condition:
            for _ in range(rounds):
                condition.wait_for(lambda: turn % 2 == parity)
                turn += 1
                condition.notify()

    threads = [threading.Thread(target=player, args=(parity,)) for parity in (0, 1)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return turn


def main(tour):
    condition = threading.Condition()
    queue = []

    def producer():
        with condition:
            queue.append(1)
            print("producer: one item in, notify()")
            condition.notify()

    def consumer():
        with condition:
            while not queue:
                print("consumer: nothing there, wait()")
                condition.wait()
            print(f"consumer: got {queue.pop(0)}")

    producer_thread = threading.Thread(target=producer)
    consumer_thread = threading.Thread(target=consumer)
    consumer_thread.start()
    tour.sleep(1)
    producer_thread.start()
    producer_thread.join()
    consumer_thread.join()

    with condition:
        in_vain = condition.wait_for(lambda: queue, timeout=tour.scaled(0.2))
    print(f"wait with a predicate, {tour.scaled(0.2):.2f} s: {'true' if in_vain else 'false'}")

    start = time.perf_counter()
    turns = ping_pong(tour.size(20_000))
    wall = time.perf_counter() - start
    print(f"{turns} hand-overs between two threads: {wall:.3f} s wall, {wall / turns * 1e6:.2f} us each")
    tour.result("hand-overs", turns)


run(main)
