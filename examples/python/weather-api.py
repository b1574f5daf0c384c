"""A web service in front of a slow one: who waits while it waits?"""

import asyncio
import time
import urllib.request

from slow_pages import get_data, slow_server
from support import run

CITIES = ["/Moscow", "/London", "/Tokyo"]


def main(tour):
    served = 0

    def handler(api, blocking):
        async def answer(reader, writer):
            nonlocal served
            city = (await reader.readline()).decode().strip()
            if blocking:
                with urllib.request.urlopen(f"http://127.0.0.1:{api}{city}") as src:
                    weather = src.read().decode()
            else:
                weather = await get_data(api, city)
            served += 1
            writer.write(weather.encode())
            await writer.drain()
            writer.close()

        return answer

    async def ask(port, city):
        start = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{city}\n".encode())
        await reader.read()
        writer.close()
        return time.perf_counter() - start

    async def serve_all(api, blocking):
        server = await asyncio.start_server(handler(api, blocking), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        waited = await asyncio.gather(*[ask(port, city) for city in CITIES])
        for city, seconds in zip(CITIES, waited):
            print(f"{'blocks' if blocking else 'awaits'}: the client for {city[1:]} waited {seconds:.3f} s")
        server.close()

    with slow_server({city: tour.scaled(1) for city in CITIES}) as api:
        asyncio.run(serve_all(api, True))
        asyncio.run(serve_all(api, False))
    tour.result("clients served", served)


run(main)
