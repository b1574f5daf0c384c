"""Nobody goes on before all have come; and a join() in the wrong place."""

import random
import threading

from support import run


def main(tour):
    count = max(2, tour.threads(3))
    barrier = threading.Barrier(count)

    def worker(name):
        way = random.uniform(0.5, 2)
        tour.sleep(way)
        number = barrier.wait()
        print(f"{name} came after {way:.2f} s, as number {number}")

    threads = []
    for i in range(count):
        t = threading.Thread(target=worker, args=(f"Thread-{i}",))
        threads.append(t)
        t.start()
    for t in threads:
        t.join()

    print("join() in the loop, wait() with a timeout:")
    barrier, broken = threading.Barrier(count), []

    def impatient(name):
        try:
            barrier.wait(timeout=tour.scaled(0.5))
        except threading.BrokenBarrierError:
            print(f"{name}: BrokenBarrierError")
            broken.append(name)

    threads = []
    for i in range(count):
        t = threading.Thread(target=impatient, args=(f"Thread-{i}",))
        threads.append(t)
        t.start()
        for t in threads:
            t.join()
    tour.result("BrokenBarrierErrors", len(broken))


run(main)
