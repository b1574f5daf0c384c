"""Who waits for the outside world is woken by the system."""

import asyncio
import time

from support import run


def main(tour):
    answers = []

    async def post_office(reader, writer):
        letter = await reader.readline()
        await asyncio.sleep(tour.scaled(0.7 if letter == b"letter 1\n" else 0.4))
        writer.write(b"answer to " + letter)
        await writer.drain()
        writer.close()

    async def email(port, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"letter {number}\n".encode())
        print(f"letter {number}: handed to the system")
        answer = (await reader.readline()).decode().strip()
        print(f"letter {number}: {answer}")
        answers.append(answer)
        writer.close()

    async def paperwork():
        for page in range(5):
            print(f"page {page} of other work")
            await asyncio.sleep(tour.scaled(0.2))

    async def amain():
        server = await asyncio.start_server(post_office, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        start = time.perf_counter()
        await asyncio.gather(email(port, 1), email(port, 2), paperwork())
        print(f"{time.perf_counter() - start:.3f} s wall")
        server.close()

    asyncio.run(amain())
    tour.result("answers", len(answers))
    assert sorted(answers) == ["answer to letter 1", "answer to letter 2"]


run(main)
