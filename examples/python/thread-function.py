"""A function and its arguments, run by a thread; join with a timeout."""

import threading

from support import run


def main(tour):
    def task(msg, t):
        print(f"START[{msg}]")
        tour.sleep(t)
        print(f"END  [{msg}]")

    t1 = threading.Thread(target=task, args=("T1", 5))
    t2 = threading.Thread(target=task, args=("T2", 2))
    t1.start()
    t2.start()
    t1.join()
    t2.join()

    finish = threading.Event()
    t3 = threading.Thread(target=finish.wait)
    t3.start()
    t3.join(timeout=tour.scaled(1))
    print(f"T3 has {'not ' if t3.is_alive() else ''}ended after {tour.scaled(1):.2f} s")
    finish.set()
    t3.join()
    tour.result("ended", 2)


run(main)
