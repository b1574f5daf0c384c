"""Every order in which two threads can read and write, one by one."""

from threading import Semaphore, Thread

from support import run


def run_in_order(order):
    x = 2
    turns = {"1": Semaphore(0), "2": Semaphore(0)}
    step_done = Semaphore(0)

    def body(turn, change):
        nonlocal x
        turn.acquire()
        seen = x
        step_done.release()
        turn.acquire()
        x = change(seen)
        step_done.release()

    threads = [
        Thread(target=body, args=(turns["1"], lambda seen: seen + 1)),
        Thread(target=body, args=(turns["2"], lambda seen: seen * 2)),
    ]
    for t in threads:
        t.start()
    for who in order:
        turns[who].release()
        step_done.acquire()
    for t in threads:
        t.join()
    return x


def main(tour):
    print("x = 2; thread 1: x + 1, thread 2: x * 2")
    results = set()
    for order in ("1122", "1212", "1221", "2112", "2121", "2211"):
        steps, has_read = "", set()
        for who in order:
            steps += f"  {who} writes" if who in has_read else f"  {who} reads "
            has_read.add(who)
        x = run_in_order(order)
        print(f"{steps}   x = {x}{'   <- the notebook' + chr(39) + 's' if order == '1221' else ''}")
        results.add(x)
    assert results == {3, 4, 5, 6}
    tour.result("results", ",".join(map(str, sorted(results))))


run(main)
