"""A thread takes a Lock twice: with a timeout, and without (in a thread that never ends)."""

import threading

from support import run


def main(tour):
    lock = threading.Lock()

    def twice():
        lock.acquire()
        print("locked once, and now again")
        lock.acquire()
        print("never printed")

    hung = threading.Thread(target=twice, daemon=True)
    hung.start()
    hung.join(timeout=tour.scaled(1))
    assert hung.is_alive()

    in_time = lock.acquire(timeout=tour.scaled(0.5))
    print(f"with a timeout: {'true' if in_time else 'false'}")
    tour.result("with a timeout", in_time)
    rlock = threading.RLock()
    with rlock, rlock:
        print("an RLock: taken 2 times")


run(main)
