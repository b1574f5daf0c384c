"""The lost update in 0.1 s: 10 or 20, as chance has it."""

from threading import Barrier, Thread

from support import run


def main(tour):
    for _ in range(5):
        counter = 0
        both_have_read = Barrier(2)

        def increase(value):
            nonlocal counter
            local_counter = counter
            local_counter += value
            both_have_read.wait()
            tour.sleep(0.1)
            counter = local_counter
            print(f"counter={local_counter}")

        t1 = Thread(target=increase, args=(10,))
        t2 = Thread(target=increase, args=(20,))
        t1.start()
        t2.start()
        t1.join()
        t2.join()
        print(f"in the end: {counter=}")
        assert counter in (10, 20)
    tour.result("rounds that lost an update", 5)


run(main)
