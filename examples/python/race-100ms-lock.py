"""The same with a lock: 30, every time."""

from threading import Lock, Thread

from support import run


def main(tour):
    for _ in range(5):
        counter = 0
        lock = Lock()

        def increase(by):
            nonlocal counter
            with lock:
                local_counter = counter
                local_counter += by
                tour.sleep(0.1)
                counter = local_counter
                print(f"counter={counter}")

        t1 = Thread(target=increase, args=(10,))
        t2 = Thread(target=increase, args=(20,))
        t1.start()
        t2.start()
        t1.join()
        t2.join()
        print(f"in the end: {counter=}")
        assert counter == 30
    tour.result("rounds that ended with 30", 5)


run(main)
