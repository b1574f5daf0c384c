"""Twelve guests, and one to four who make coffee."""

import queue
import threading
import time

from support import run

GUESTS = 12


def serve(tour, count):
    orders = queue.Queue()
    served = [0] * GUESTS
    opened = time.perf_counter()

    def barista():
        while (guest := orders.get()) is not None:
            tour.sleep(0.2)
            served[guest] = time.perf_counter() - opened

    for guest in range(GUESTS):
        orders.put(guest)
    baristas = [threading.Thread(target=barista) for _ in range(count)]
    for b in baristas:
        orders.put(None)
        b.start()
    for b in baristas:
        b.join()
    return served


def main(tour):
    print("baristas   last served   mean waiting time   at best")
    for count in range(1, min(tour.threads(4), GUESTS) + 1):
        served = serve(tour, count)
        best = sum(tour.scaled(0.2) * (guest // count + 1) for guest in range(GUESTS)) / GUESTS
        print(f"{count:8}{max(served):12.3f} s{sum(served) / GUESTS:18.3f} s{best:8.3f} s")
        assert min(served) > 0
    tour.result("every guest got one coffee", True)


run(main)
