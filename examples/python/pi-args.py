"""Cutting the work for a pool: the arguments of ten calls."""

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


def F(x):
    return math.sqrt(1 - x**2)


def main(tour):
    N = tour.size(5_000_000, 1000)
    steps = 10
    dN = N // steps
    nodes = linspace(-1, 1, steps + 1)

    args = []
    for a, b in zip(nodes[:-1], nodes[1:]):
        args.append(dict(a=a, b=b, N=dN))

    value = 0
    for part in args:
        start = time.perf_counter()
        area = integrate(F, **part)
        value += area
        print(f"{str(part):68}{time.perf_counter() - start:.4f} s  {area:.6f}")
    print(f"twice their sum: {value * 2}")
    tour.result("parts", len(args))
    tour.result("pi", value * 2)
    assert N != 5_000_000 or value * 2 == 3.1415926532923013


run(main)
