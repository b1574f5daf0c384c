"""Who forgets `await` gets silence: who notices, and when?"""

import asyncio
import warnings

from support import run

greetings = 0


async def hello():
    global greetings
    print("Hello, asyncio!")
    greetings += 1


async def forgetful():
    hello()
    for_later = hello()
    given_away = hello()
    await asyncio.create_task(given_away)


async def await_twice():
    coroutine = hello()
    await coroutine
    try:
        await coroutine
    except RuntimeError as error:
        return str(error)


def main(tour):
    with warnings.catch_warnings(record=True):
        coroutine = hello()
        tour.result("greetings of a mere call", greetings)
        del coroutine
    asyncio.run(hello())
    tour.result("greetings once it is awaited", greetings)

    with warnings.catch_warnings(record=True) as reports:
        warnings.simplefilter("always")
        asyncio.run(forgetful())
    for report in reports:
        print(f"{report.category.__name__}: {report.message}")
    tour.result("never awaited", len(reports))

    second = asyncio.run(await_twice())
    print(f"RuntimeError: {second}")
    tour.result("a second await", second)


run(main)
