"""Three processes sleep for 2 s, all at the same time; another fails, alone."""

import time
from multiprocessing import Process

from support import run


def worker(name, length):
    print(f"process {name} starts to work", flush=True)
    time.sleep(length)
    print(f"process {name} stops working", flush=True)


def careless_worker(page):
    raise RuntimeError("no page named " + page)


def main(tour):
    start = time.perf_counter()
    count = tour.threads(3)
    processes = []
    for i in range(count):
        p = Process(target=worker, args=(f"Process-{i}", tour.scaled(2)))
        processes.append(p)
        p.start()
    for p in processes:
        p.join()
    print(f"{count} sleeps of {tour.scaled(2):.2f} s took {time.perf_counter() - start:.2f} s")
    assert all(p.exitcode == 0 for p in processes)

    p = Process(target=careless_worker, args=("dfgb"))  # not a tuple: four arguments, one letter each
    p.start()
    p.join()
    print(f"exit code: {p.exitcode}; the parent goes on")
    assert p.exitcode == 1
    tour.result("ended with 0", count)
    tour.result("exit code of the one that throws", p.exitcode)


if __name__ == "__main__":
    run(main)
