"""A semaphore that notices one release too many."""

import threading

from support import run


def main(tour):
    bounded = threading.BoundedSemaphore(2)

    def worker(name):
        bounded.acquire()
        try:
            print(f"{name} has a permit")
        finally:
            bounded.release()

    threads = []
    for i in range(tour.threads(3)):
        t = threading.Thread(target=worker, args=(f"Thread-{i}",))
        threads.append(t)
        t.start()
    for t in threads:
        t.join()

    try:
        bounded.release()
    except ValueError as error:
        print(f"BoundedSemaphore, one release() too many: {error}")
    threading.Semaphore(2).release()
    print("Semaphore, one release() too many: no error")
    tour.result("worked", len(threads))


run(main)
