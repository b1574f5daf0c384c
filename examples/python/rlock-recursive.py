"""A lock that its owner may take again."""

import threading

from support import run


def main(tour):
    rlock = threading.RLock()

    def recursive_function(n, depth=1):
        with rlock:
            print(f"{'  ' * depth}holds it {depth} time{'s' if depth > 1 else ''}, n = {n}")
            if n > 0:
                recursive_function(n - 1, depth + 1)

    thread = threading.Thread(target=recursive_function, args=(3,))
    thread.start()
    thread.join()

    plain = threading.Lock()
    plain.acquire()
    second = plain.acquire(timeout=tour.scaled(1))
    print(f"a plain Lock, taken twice: {'taken' if second else 'not taken'} within {tour.scaled(1):.2f} s")
    tour.result("Lock taken twice", second)


run(main)
