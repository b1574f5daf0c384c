"""Pi by five million slices, in one thread."""

import math
import time

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


def integrate_lazily(f, *, a, b, N):
    dx = (b - a) / (N - 1)
    value = 0
    left, f_left = a, f(a)
    for n in range(1, N):
        right = b if n == N - 1 else a + dx * n
        f_right = f(right)
        value += (f_left + f_right) * 0.5 * (right - left)
        left, f_left = right, f_right
    return value


def F(x):
    return math.sqrt(1 - x**2)


def main(tour):
    N = tour.size(5_000_000, 1000)
    print(f"{N} points")
    results = set()
    for how, function in (("with the list", integrate), ("point by point", integrate_lazily)):
        start = time.perf_counter()
        pi = function(F, a=-1, b=1, N=N) * 2
        print(f"{how:16}{time.perf_counter() - start:.3f} s wall  {pi}")
        results.add(pi)
    assert len(results) == 1
    tour.result("pi", pi)
    tour.result("without the list", pi)
    assert N != 5_000_000 or results == {3.141592653292644}


run(main)
