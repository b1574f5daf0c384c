"""A segmentation fault in one task: the whole pool is lost."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from support import run

BAD = 7


def work(n):
    if n == BAD:
        os.kill(os.getpid(), signal.SIGSEGV)
    return n * n


def main(tour):
    right = lost = 0
    with ProcessPoolExecutor(2) as executor:
        futures = []
        try:
            for n in range(20):
                futures.append(executor.submit(work, n))
        except BrokenProcessPool:
            lost = 20 - len(futures)
        for n, future in enumerate(futures):
            try:
                right += future.result() == n * n
            except BrokenProcessPool:
                lost += 1
        try:
            takes_more = executor.submit(work, 30).result() == 900
        except BrokenProcessPool:
            takes_more = False
    print(f"{right} right, {lost} lost; " + ("the pool takes more" if takes_more else "the pool is broken for good"))
    assert right + lost == 20 and lost >= 1 and not takes_more
    tour.result("as in Python", takes_more)


if __name__ == "__main__":
    run(main)
