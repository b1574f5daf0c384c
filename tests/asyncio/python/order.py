"""The scenarios of order_test.cpp, as CPython runs them: each prints its name and its log."""

import asyncio
import sys

log = []


def note(text):
    log.append(text)


async def worker(name, rounds):
    for i in range(rounds):
        note(f"{name}{i}")
        await asyncio.sleep(0)


async def value(n):
    return n


async def sleeper(name, length):
    await asyncio.sleep(length)
    note(name)


async def waits_for(name, task):
    try:
        await task
        note(f"{name} joined")
    except asyncio.CancelledError:
        note(f"{name} cancelled")
        raise


async def soon_and_tasks():
    loop = asyncio.get_running_loop()
    loop.call_soon(note, "soon 1")
    a = asyncio.create_task(worker("a", 2))
    loop.call_soon(note, "soon 2")
    b = asyncio.create_task(worker("b", 3))
    note("main")
    await a
    note("a joined")
    loop.call_soon(note, "soon 3")
    await b
    note("b joined")


async def hops():
    """How many rounds each wake-up takes, beside one who counts."""
    counter = asyncio.create_task(worker("tick", 12))
    await asyncio.sleep(0)
    task = asyncio.create_task(value(1))
    await task
    note("joined")
    await asyncio.sleep(0)
    note("yielded")
    task = asyncio.create_task(value(2))
    task.add_done_callback(lambda t: note(f"callback {t.result()}"))
    await task
    note("joined again")
    await asyncio.sleep(0.001)
    await counter


async def timers():
    loop = asyncio.get_running_loop()
    when = loop.time() + 0.005
    loop.call_at(when, note, "at 1")
    loop.call_at(when, note, "at 2")
    loop.call_later(0.002, note, "later 2")
    loop.call_later(0.001, note, "later 1")
    loop.call_later(0, note, "later 0")
    loop.call_soon(note, "soon")
    await asyncio.sleep(0.02)


async def joiners():
    first = asyncio.create_task(sleeper("first", 0.001))
    a = asyncio.create_task(waits_for("a", first))
    b = asyncio.create_task(waits_for("b", first))
    first.add_done_callback(lambda t: note("callback"))
    c = asyncio.create_task(waits_for("c", b))
    await c
    note(f"{a.done()} {b.done()}")


async def cancel_chain():
    first = asyncio.create_task(sleeper("never", 10))
    a = asyncio.create_task(waits_for("a", first))
    b = asyncio.create_task(waits_for("b", a))
    other = asyncio.create_task(waits_for("other", first))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    b.cancel()
    note(f"{first.cancelling()} {a.cancelling()} {b.cancelling()}")
    ticker = asyncio.create_task(worker("tick", 6))
    try:
        await b
    except asyncio.CancelledError:
        note("main")
    note(f"{first.cancelled()} {a.cancelled()} {b.cancelled()} {other.done()}")
    await ticker
    note(f"{other.cancelled()}")


async def cancel_early():
    a = asyncio.create_task(worker("a", 1))
    b = asyncio.create_task(worker("b", 1))
    a.add_done_callback(lambda t: note(f"a {t.cancelled()}"))
    a.cancel()
    note(f"{a.done()}")
    await asyncio.sleep(0)
    note(f"{a.done()} {b.done()}")
    await asyncio.sleep(0)
    note(f"{b.done()}")


async def stubborn(name):
    for i in range(2):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            note(f"{name} {i}")
    await asyncio.sleep(0)
    return 5


async def refuse():
    task = asyncio.create_task(stubborn("mule"))
    joiner = asyncio.create_task(waits_for("joiner", task))
    await asyncio.sleep(0)
    note(f"{joiner.cancel()}")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    note(f"{joiner.cancel()} {task.cancelling()} {joiner.cancelling()}")
    await joiner
    note(f"{task.result()} {task.cancelled()} {task.cancelling()} {joiner.cancelling()}")
    note(f"{joiner.cancel()}")


async def self_cancel():
    me = asyncio.current_task()
    me.cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        note("at sleep 0")
    me.cancel()
    task = asyncio.create_task(sleeper("inner", 10))
    try:
        await task
    except asyncio.CancelledError:
        note(f"at join {task.cancelled()} {task.cancelling()}")
    note(f"{me.uncancel()} {me.uncancel()}")


SCENARIOS = [soon_and_tasks, hops, timers, joiners, cancel_chain, cancel_early, refuse, self_cancel]

for scenario in SCENARIOS:
    log.clear()
    asyncio.run(scenario())
    print(f"== {scenario.__name__}")
    for line in log:
        print(line)
sys.stdout.flush()
