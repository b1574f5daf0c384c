"""Three pages at once, as each comes."""

import asyncio
import time

from slow_pages import get_data, slow_server
from support import run


def main(tour):
    order = []

    async def fetch(port, path):
        page = await get_data(port, path)
        print(path, len(page))
        order.append(path)
        return len(page)

    async def amain(port):
        return await asyncio.gather(*[fetch(port, path) for path in ("/ya", "/google", "/duckduckgo")])

    delays = {"/ya": tour.scaled(0.1), "/google": tour.scaled(0.2), "/duckduckgo": tour.scaled(0.3)}
    with slow_server(delays) as port:
        start = time.perf_counter()
        sizes = asyncio.run(amain(port))
        print(f"{time.perf_counter() - start:.3f} s wall")
    tour.result("pages", len(order))
    tour.result("all are whole", all(size > 20_000 for size in sizes))


run(main)
