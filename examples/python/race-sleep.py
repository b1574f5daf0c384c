"""Two threads overwrite each other: read, sleep, write."""

from threading import Barrier, Thread

from support import run


def main(tour):
    counter = 0
    both_have_read = Barrier(2)

    def increase(by, n):
        nonlocal counter
        local_counter = counter
        local_counter += by
        both_have_read.wait()
        tour.sleep(1)
        counter = local_counter
        print(f"{n}. counter={local_counter}")

    t1 = Thread(target=increase, args=(10, 1))
    t2 = Thread(target=increase, args=(20, 2))
    t1.start()
    t2.start()
    t1.join()
    t2.join()
    print(f"in the end {counter=}")
    assert counter in (10, 20)
    tour.result("counter", "10 or 20")


run(main)
