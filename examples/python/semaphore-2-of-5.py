"""Five threads, at most two of them inside."""

import threading

from support import run


def main(tour):
    semaphore = threading.Semaphore(2)
    lock = threading.Lock()
    inside = most = 0

    def worker(name):
        nonlocal inside, most
        with semaphore:
            with lock:
                inside += 1
                most = max(most, inside)
                print(f"{name} is inside, one of {inside}")
            tour.sleep(2)
            print(f"{name} goes out")
            with lock:
                inside -= 1

    threads = []
    for i in range(tour.threads(5)):
        t = threading.Thread(target=worker, args=(f"T{i}",))
        threads.append(t)
        t.start()
    for t in threads:
        t.join()
    print("all done")
    assert most <= 2
    tour.result("peak", most)


run(main)
