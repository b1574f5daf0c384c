"""The scenarios of order_more_test.cpp, as CPython runs them."""

import asyncio
import sys

log = []


def note(text):
    log.append(text)


async def tick(rounds):
    for i in range(rounds):
        note(f"tick{i}")
        await asyncio.sleep(0)


async def value(n, rounds=0):
    for _ in range(rounds):
        await asyncio.sleep(0)
    return n


async def fail(text, rounds=0):
    for _ in range(rounds):
        await asyncio.sleep(0)
    raise ValueError(text)


async def nap(name, length):
    try:
        await asyncio.sleep(length)
        note(f"{name} woke")
    except asyncio.CancelledError:
        note(f"{name} cancelled")
        raise


async def gather_values():
    ticker = asyncio.create_task(tick(10))
    await asyncio.sleep(0)
    a, b = await asyncio.gather(value(1, 2), value(2, 1))
    note(f"{a} {b}")
    await ticker


async def gather_failure():
    ticker = asyncio.create_task(tick(10))
    other = asyncio.create_task(nap("other", 0.05))
    try:
        await asyncio.gather(fail("first", 2), other)
    except ValueError as error:
        note(str(error))
    note(f"{other.done()}")
    await other
    await ticker


async def gather_cancelled():
    a = asyncio.create_task(nap("a", 10))
    b = asyncio.create_task(nap("b", 10))

    async def both():
        await asyncio.gather(a, b)

    task = asyncio.create_task(both())
    ticker = asyncio.create_task(tick(8))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        note("cancelled")
    note(f"{a.cancelled()} {b.cancelled()}")
    await ticker


async def lock_order():
    lock = asyncio.Lock()

    async def user(name, rounds):
        await lock.acquire()
        note(f"{name} has it")
        for _ in range(rounds):
            await asyncio.sleep(0)
        note(f"{name} lets go")
        lock.release()

    tasks = [asyncio.create_task(user(n, r)) for n, r in (("a", 2), ("b", 0), ("c", 1))]
    ticker = asyncio.create_task(tick(8))
    await asyncio.sleep(0)
    tasks[1].cancel()
    for task in (tasks[0], tasks[2]):
        await task
    await ticker


async def event_order():
    event = asyncio.Event()

    async def waiter(name):
        await event.wait()
        note(name)

    tasks = [asyncio.create_task(waiter(n)) for n in "abc"]
    await asyncio.sleep(0)
    event.set()
    note("set")
    ticker = asyncio.create_task(tick(3))
    for task in tasks:
        await task
    await ticker


async def semaphore_order():
    semaphore = asyncio.Semaphore(1)

    async def user(name):
        await semaphore.acquire()
        note(f"{name} in")
        await asyncio.sleep(0)
        note(f"{name} out")
        semaphore.release()

    tasks = [asyncio.create_task(user(n)) for n in "abc"]
    ticker = asyncio.create_task(tick(8))
    for task in tasks:
        await task
    await ticker


async def queue_order():
    queue = asyncio.Queue(1)

    async def producer(name):
        for i in range(2):
            await queue.put(f"{name}{i}")
            note(f"put {name}{i}")

    async def consumer(name):
        for _ in range(2):
            note(f"{name} got {await queue.get()}")

    tasks = [asyncio.create_task(t) for t in (producer("p"), consumer("c"), producer("q"), consumer("d"))]
    ticker = asyncio.create_task(tick(10))
    for task in tasks:
        await task
    await ticker


async def shielded():
    inner = asyncio.create_task(nap("inner", 0.002))

    async def outer():
        await asyncio.shield(inner)

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        note("outer cancelled")
    note(f"{inner.done()}")
    await inner


async def waits_first():
    a = asyncio.create_task(nap("a", 0.001))
    b = asyncio.create_task(nap("b", 0.5))
    done, pending = await asyncio.wait([a, b], return_when=asyncio.FIRST_COMPLETED)
    note(f"{len(done)} {len(pending)}")
    done, pending = await asyncio.wait([a, b], timeout=0.001)
    note(f"{len(done)} {len(pending)}")
    await b


async def wait_for_timeout():
    task = asyncio.create_task(nap("slow", 10))
    try:
        await asyncio.wait_for(task, 0.001)
    except asyncio.TimeoutError:
        note("timeout")
    note(f"{task.cancelled()} {asyncio.current_task().cancelling()}")
    note(f"{await asyncio.wait_for(value(5, 1), 1)}")


SCENARIOS = [gather_values, gather_failure, gather_cancelled, lock_order, event_order, semaphore_order, queue_order,
             shielded, waits_first, wait_for_timeout]

for scenario in SCENARIOS:
    log.clear()
    asyncio.run(scenario())
    print(f"== {scenario.__name__}")
    for line in log:
        print(line)
sys.stdout.flush()
