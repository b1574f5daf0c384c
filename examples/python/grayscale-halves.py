"""A picture turned gray, one half by each thread: the GIL lets one of them compute."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from support import run

WIDTH = 3840


def colourful(height):
    reds = bytes(x * 255 // WIDTH for x in range(WIDTH))
    picture = []
    for y in range(height):
        line = bytearray(3 * WIDTH)
        line[0::3] = reds
        line[1::3] = bytes([y * 255 // height]) * WIDTH
        line[2::3] = bytes((x ^ y) & 255 for x in range(WIDTH))
        picture.append(bytes(line))
    return picture


def main(tour):
    height = tour.size(2160, 8)
    picture = colourful(height)
    gray = [b""] * height

    def to_gray(top, bottom):
        for y in range(top, bottom):
            line = picture[y]
            gray[y] = bytes(
                (299 * r + 587 * g + 114 * b) // 1000 for r, g, b in zip(line[0::3], line[1::3], line[2::3])
            )

    workers = tour.threads(len(os.sched_getaffinity(0)))
    print(f"{WIDTH} x {height} pixels, a pool of {workers}")
    results, one_stripe = set(), None
    with ThreadPoolExecutor(workers) as executor:
        for stripes in (1, 2, 4):
            start = time.perf_counter()
            parts = [
                executor.submit(to_gray, height * n // stripes, height * (n + 1) // stripes) for n in range(stripes)
            ]
            for part in parts:
                part.result()
            wall = time.perf_counter() - start
            one_stripe = one_stripe or wall
            print(f"stripes: {stripes}  {wall * 1e3:.2f} ms, {one_stripe / wall:.2f} times as fast as one")
            results.add(b"".join(gray))
    assert len(results) == 1
    tour.result("as gray as by one thread, in stripes", 3)


run(main)
