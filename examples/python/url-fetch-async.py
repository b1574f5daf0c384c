"""Thirteen slow pages at once, in one thread."""

import asyncio
import time

from slow_pages import get_data, slow_server
from support import run

PAGES = [f"/page/{i}" for i in range(13)]


def main(tour):
    async def one_after_another(port):
        return [await get_data(port, path) for path in PAGES]

    async def all_at_once(port):
        return await asyncio.gather(*[get_data(port, path) for path in PAGES])

    with slow_server({path: tour.scaled(0.1) for path in PAGES}) as port:
        start = time.perf_counter()
        expected = asyncio.run(one_after_another(port))
        print(f"one after another  {time.perf_counter() - start:.3f} s wall")
        start = time.perf_counter()
        contents = asyncio.run(all_at_once(port))
        print(f"all at once        {time.perf_counter() - start:.3f} s wall")
    for content in contents:
        print(content[:15])
    tour.result("pages", len(contents))
    tour.result("every page is the same each time, in order", contents == expected)


run(main)
