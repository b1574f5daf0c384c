"""What the scripts here share: --scale and --threads, and a last line with the times.

    from support import run

    def main(tour):
        tour.sleep(2)                  # scaled by --scale

    run(main)
"""

import argparse
import resource
import sys
import time


class Tour:
    def __init__(self, scale, threads):
        self.scale = scale
        self._threads = threads

    def scaled(self, seconds):
        return seconds * self.scale

    def sleep(self, seconds):
        time.sleep(seconds * self.scale)

    def size(self, full, least=1):
        return max(least, int(full * self.scale))

    def threads(self, usual):
        return self._threads or usual

    # `nogil-tour compare` looks for lines that the C++ demo prints too, from run.expect().
    def result(self, what, value):
        print(f"result: {what} = {str(value).lower() if isinstance(value, bool) else value}", flush=True)

    # Where the whole work would take too long: at most one n-th of it is done here.
    def less_work(self, n):
        print(f"less work: {n}", flush=True)


def cpu_time():
    """Of this process, and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(main):
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--scale", type=float, default=1, help="multiply sleeps and work by this")
    parser.add_argument("--fast", action="store_const", const=0.05, dest="scale", help="the same as --scale 0.05")
    parser.add_argument("--threads", type=int, default=0, help="how many threads, where there is a choice")
    arguments = parser.parse_args()
    wall, cpu = time.perf_counter(), cpu_time()
    main(Tour(arguments.scale, arguments.threads))
    print(f"time: {time.perf_counter() - wall:.6f} s wall, {cpu_time() - cpu:.6f} s CPU", flush=True)
