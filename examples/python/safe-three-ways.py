"""Shared data without a race: a lock, a queue, or nothing to change."""

import queue
import threading
import time

from support import run

PRICES = tuple(100 + n * n % 997 for n in range(1000))


def price_of(n):
    return PRICES[n % len(PRICES)]


def main(tour):
    count, sales = tour.threads(4), tour.size(250_000)
    expected = count * sum(price_of(n) for n in range(sales))

    def takings(how, sell, cash_up):
        start = time.perf_counter()
        threads = [threading.Thread(target=sell, args=(i,)) for i in range(count)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        total = cash_up()
        wall = time.perf_counter() - start
        print(f"{how:12}{total:12}   {wall:.3f} s wall{wall / (sales * count) * 1e9:8.1f} ns a sale")
        assert total == expected
        tour.result("takings: with a lock" if how == "a lock" else how, total)

    lock = threading.Lock()
    total = 0

    def with_lock(_):
        nonlocal total
        for n in range(sales):
            with lock:
                total += price_of(n)

    sold = queue.Queue(1024)
    till = 0

    def cashier():
        nonlocal till
        while (price := sold.get()) is not None:
            till += price

    def with_queue(_):
        for n in range(sales):
            sold.put(price_of(n))

    def close_the_till():
        sold.put(None)
        cashier_thread.join()
        return till

    subtotals = [0] * count

    def with_own_total(i):
        subtotals[i] = sum(price_of(n) for n in range(sales))

    print(f"{count} threads, {sales} sales each")
    takings("a lock", with_lock, lambda: total)
    cashier_thread = threading.Thread(target=cashier)
    cashier_thread.start()
    takings("a queue", with_queue, close_the_till)
    takings("immutable", with_own_total, lambda: sum(subtotals))


run(main)
