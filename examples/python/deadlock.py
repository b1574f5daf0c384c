"""Two threads, two locks, opposite order: they wait for ever."""

from threading import Barrier, Lock, Thread

from support import run


def main(tour):
    a_lock, b_lock = Lock(), Lock()
    both_hold_one = Barrier(2)

    def function_a():
        a_lock.acquire()
        print("function a, a_lock = locked")
        both_hold_one.wait()
        tour.sleep(1)
        b_lock.acquire()
        print("function a, b_lock = locked")
        tour.sleep(1)
        a_lock.release()
        b_lock.release()

    def function_b():
        b_lock.acquire()
        print("function b, b_lock = locked")
        both_hold_one.wait()
        a_lock.acquire()
        print("function b, a_lock = locked")
        tour.sleep(1)
        b_lock.release()
        a_lock.release()

    # Daemons, so that this program at least can end: the threads never do.
    t1 = Thread(target=function_a, daemon=True)
    t2 = Thread(target=function_b, daemon=True)
    t1.start()
    t2.start()
    t1.join(timeout=tour.scaled(3))
    assert t1.is_alive() and t2.is_alive()
    print(f"still waiting after {tour.scaled(3):.2f} s")
    tour.result("undetected, it hangs", True)


run(main)
