"""How late a thread wakes beside a busy one: the GIL changes hands every 5 ms."""

import os
import threading
import time

from support import run


def lateness(busy_threads, samples):
    stop = False
    late = []

    def busy():
        while not stop:
            pass

    def light():
        for _ in range(samples):
            asked = time.perf_counter() + 0.001
            time.sleep(0.001)
            late.append(time.perf_counter() - asked)

    others = [threading.Thread(target=busy) for _ in range(busy_threads)]
    for t in others:
        t.start()
    sleeper = threading.Thread(target=light)
    sleeper.start()
    sleeper.join()
    stop = True
    for t in others:
        t.join()
    return sorted(late)


def main(tour):
    samples = tour.size(200, 10)
    print("busy threads   median      90 %     worst")
    measured = 0
    for busy_threads in (0, 1, tour.threads(len(os.sched_getaffinity(0)))):
        late = lateness(busy_threads, samples)
        measured += len(late)
        columns = [late[len(late) // 2], late[len(late) * 9 // 10], late[-1]]
        print(f"{busy_threads:12}" + "".join(f"{value * 1e3:7.3f} ms" for value in columns))
    tour.result("sleeps measured", measured)


run(main)
