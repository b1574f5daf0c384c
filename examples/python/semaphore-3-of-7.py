"""Seven calls, three at a time, with the clock beside them."""

import datetime
from threading import Semaphore, Thread

from support import run


def main(tour):
    s = Semaphore(3)
    inside, peak = [], []

    def semaphore_func(payload):
        s.acquire()
        inside.append(payload)
        peak.append(len(inside))
        now = datetime.datetime.now().strftime("%H:%M:%S")
        print(f"{now=}, {payload=}")
        tour.sleep(2)
        inside.remove(payload)
        s.release()

    threads = [Thread(target=semaphore_func, args=(i,)) for i in range(tour.threads(7))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    tour.result("peak", max(peak))


run(main)
