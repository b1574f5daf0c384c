"""Runs the programs of scenario.hpp in CPython: a list of them as JSON on stdin, their logs on stdout."""

import asyncio
import json
import os
import selectors
import sys


class Selector(selectors.DefaultSelector):
    """Its clock jumps, by whole seconds."""

    now = 1000

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("nothing will ever happen")
        if timeout > 0:
            self.now += round(timeout)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """Calls timers of the same moment in the order of their making: CPython's heap has none."""

    def __init__(self):
        self.clock = Selector()
        self.timers = 0
        super().__init__(self.clock)
        self._clock_resolution = 0.5
        self.set_exception_handler(lambda loop, context: None)

    def call_at(self, when, callback, *args, context=None):
        self.timers += 1
        return super().call_at(when + self.timers * 1e-6, callback, *args, context=context)

    def time(self):
        return self.clock.now


class Ordered(dict):
    """In place of a group's set of tasks, which has no order."""

    def add(self, item):
        self[item] = None

    def discard(self, item):
        self.pop(item, None)


def name_of(error):
    if isinstance(error, BaseExceptionGroup):
        return f"ExceptionGroup {len(error.exceptions)}"
    if isinstance(error, TimeoutError):
        return "TimeoutError"
    if isinstance(error, asyncio.BrokenBarrierError):
        return "BrokenBarrierError"
    if isinstance(error, RuntimeError):
        return "RuntimeError"
    return "Error" if type(error) is ArithmeticError else "another error"


UNTIL = [asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED]


class World:
    def __init__(self, loop):
        self.loop = loop
        self.log = []
        self.locks = [asyncio.Lock(), asyncio.Lock()]
        self.semaphores = [asyncio.Semaphore(1), asyncio.Semaphore(2)]
        self.conditions = [asyncio.Condition(), asyncio.Condition()]
        self.events = [asyncio.Event(), asyncio.Event()]
        self.barriers = [asyncio.Barrier(2), asyncio.Barrier(3)]
        self.queues = [asyncio.Queue(1), asyncio.Queue()]
        self.spawned = [None] * 4
        self.tasks = []

    def note(self, text):
        self.log.append(f"{round(self.loop.time() - 1000)} {text}")

    async def join(self, op, a, b):
        task = self.spawned[a]
        if not task or task is asyncio.current_task():
            return
        if op == "join":
            await task
        elif op == "join_for":
            await asyncio.wait_for(task, b)
        elif op == "join_shielded":
            await asyncio.shield(task)
        elif self.spawned[b]:
            await asyncio.gather(task, self.spawned[b])

    async def statement(self, name, op, a, b, blocks):
        if op in ("gather", "settle"):
            children = [self.task(f"{name}.{i}", block) for i, block in enumerate(blocks)]
            await asyncio.gather(*children, return_exceptions=op == "settle")
        elif op == "wait":
            tasks = [asyncio.create_task(self.task(f"{name}.{i}", block)) for i, block in enumerate(blocks)]
            done, _ = await asyncio.wait(tasks, timeout=a, return_when=UNTIL[b])
            self.note(f"{name} sees {len(done)} of {len(tasks)}")
        elif op == "completed":
            tasks = [asyncio.create_task(self.task(f"{name}.{i}", block)) for i, block in enumerate(blocks)]
            for completed in asyncio.as_completed(tasks, timeout=a):
                await completed
                self.note(f"{name} sees one")
        elif op == "group":
            async with asyncio.TaskGroup() as group:
                group._tasks = Ordered()
                for i, block in enumerate(blocks[1:], 1):
                    group.create_task(self.task(f"{name}.{i}", block))
                await self.block(name, blocks[0])
        elif op == "lock":
            async with self.locks[a]:
                self.note(f"{name} locked")
                await self.block(name, blocks[0])
        elif op == "sem":
            async with self.semaphores[a]:
                self.note(f"{name} has a permit")
                await self.block(name, blocks[0])
        elif op == "cond":
            async with self.conditions[a]:
                self.note(f"{name} entered")
                await self.block(name, blocks[0])
        elif op == "timeout":
            async with asyncio.timeout(a):
                await self.block(name, blocks[0])
        elif op == "wait_for":
            await asyncio.wait_for(self.block(name, blocks[0]), a)
        elif op == "shield":
            await asyncio.shield(self.task(f"{name}.0", blocks[0]))
        elif op == "catch":
            try:
                await self.block(name, blocks[0])
            except Exception as error:
                self.note(f"{name} caught {name_of(error)}")
        elif op == "put":
            await self.queues[a].put(b)
        elif op == "get":
            self.note(f"{name} got {await self.queues[a].get()}")
        elif op == "spawn":
            self.spawned[a] = asyncio.create_task(self.task(f"{name}.0", blocks[0]))
            self.tasks.append(self.spawned[a])
        elif op == "sleep":
            await asyncio.sleep(a)
        elif op == "raise":
            raise ArithmeticError("raised")
        elif op == "cancel":
            if self.spawned[a]:
                self.spawned[a].cancel()
        elif op.startswith("join"):
            await self.join(op, a, b)
        elif op == "uncancel":
            if self.spawned[a]:
                self.note(f"{name} leaves {self.spawned[a].uncancel()}")
        elif op == "set":
            self.events[a].set()
        elif op == "clear":
            self.events[a].clear()
        elif op == "event":
            await self.events[a].wait()
        elif op == "barrier":
            self.note(f"{name} is {await self.barriers[a].wait()}")
        elif op == "reset":
            await self.barriers[a].reset()
        elif op == "abort":
            await self.barriers[a].abort()
        elif op == "shutdown":
            self.queues[a].shutdown(immediate=b == 1)
        elif op == "notify":
            self.conditions[a].notify(b)
        elif op == "cond_wait":
            await self.conditions[a].wait()

    async def block(self, name, statements):
        for op, a, b, blocks in statements:
            await self.statement(name, op, a, b, blocks)
            self.note(f"{name} {op}")

    async def task(self, name, block):
        cancelling = asyncio.current_task().cancelling
        try:
            await self.block(name, block)
        except asyncio.CancelledError:
            self.note(f"{name} ends cancelled, {cancelling()}")
            raise
        except Exception as error:
            self.note(f"{name} ends with {name_of(error)}, {cancelling()}")
            raise
        self.note(f"{name} ends, {cancelling()}")

    async def program(self, blocks):
        for i, block in enumerate(blocks):
            self.tasks.append(asyncio.create_task(self.task(str(i), block)))
        await asyncio.sleep(1000)
        for task in self.tasks:
            for _ in range(5):
                task.cancel()
                await asyncio.sleep(1)


def operations(blocks):
    return {op for block in blocks for op, *_ in block}.union(
        *(operations(inner) for block in blocks for *_, inner in block)
    )


# What has changed since, or was not right yet.
NEW_IN_3_13 = {"wait_for", "join_for", "join_both", "cond_wait", "group", "shutdown", "uncancel"}


def main():
    if sys.version_info < (3, 11):
        return
    too_new = NEW_IN_3_13 if sys.version_info < (3, 13) else set()
    worlds = []
    for program in json.load(sys.stdin):
        if operations(program) & too_new:
            print("too new\n--")
            continue
        loop = Loop()
        worlds.append(World(loop))
        loop.run_until_complete(worlds[-1].program(program))
        loop.close()
        print("\n".join(worlds[-1].log))
        print("--")
    sys.stdout.flush()
    os._exit(0)  # without what coroutines that are left would do


main()
