"""The ten parts of pi, by a pool of 1, 4 and 8 threads: the GIL lets one of them compute."""

import math
import time
from concurrent.futures import ThreadPoolExecutor

from support import run


def linspace(a, b, N):
    assert N > 1
    result = [a]
    dx = (b - a) / (N - 1)
    for n in range(1, N - 1):
        result.append(a + dx * n)
    result.append(b)
    return result


def integrate(f, *, a, b, N):
    x = linspace(a, b, N)
    value = 0
    for left, right in zip(x[:-1], x[1:]):
        value += (f(left) + f(right)) * 0.5 * (right - left)
    return value


def F(x):
    return math.sqrt(1 - x**2)


def add_up(parts):
    """sum() of Python 3.11 and before. Since 3.12 it makes up for the rounding: ...92301."""
    value = 0
    for part in parts:
        value += part
    return value


def main(tour):
    N = tour.size(5_000_000, 1000)
    nodes = linspace(-1, 1, 11)
    args = [dict(a=a, b=b, N=N // 10) for a, b in zip(nodes[:-1], nodes[1:])]

    def report(how, start, pi):
        print(f"{how:24}{time.perf_counter() - start:.3f} s wall  {pi}")
        return pi

    start = time.perf_counter()
    results = {report("no pool", start, add_up(integrate(F, **part) for part in args) * 2)}
    for workers in (1, 4, tour.threads(8)):
        start = time.perf_counter()
        with ThreadPoolExecutor(workers) as executor:
            value = add_up(executor.map(lambda part: integrate(F, **part), args)) * 2
        results.add(report(f"ThreadPoolExecutor({workers})", start, value))
    assert len(results) == 1
    tour.result("pi", value)
    tour.result("nearly pi", abs(value - math.pi) < 0.01)
    assert N != 5_000_000 or results == {3.1415926532923013}


run(main)
