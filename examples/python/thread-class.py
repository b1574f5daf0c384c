"""A thread as a class of its own: run() is overridden."""

import threading

from support import run


def main(tour):
    class MyThread(threading.Thread):
        def __init__(self, msg, sleep):
            super().__init__()
            self.msg = msg
            self.sleep = sleep

        def run(self):
            print(f"START[{self.msg}]")
            tour.sleep(self.sleep)
            print(f"END  [{self.msg}]")

    t1 = MyThread("T1", 2)
    t2 = MyThread("T2", 5)
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    tour.result("ended", 2)


run(main)
