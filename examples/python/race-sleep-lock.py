"""The lock makes read, sleep and write one step."""

from threading import Lock, Thread

from support import run


def main(tour):
    counter = 0

    def increase(by, lock):
        nonlocal counter
        lock.acquire()
        local_counter = counter
        local_counter += by
        tour.sleep(1)
        counter = local_counter
        print(f"{counter=}")
        lock.release()

    lock = Lock()
    t1 = Thread(target=increase, args=(10, lock))
    t2 = Thread(target=increase, args=(20, lock))
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    assert counter == 30
    tour.result("counter", counter)


run(main)
