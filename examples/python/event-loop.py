"""What a loop of events does: a few lines of one, and beside it the real one."""

import asyncio
import heapq
import itertools
import os
import select
import time
from collections import deque

from support import run


class LittleLoop:
    def __init__(self):
        self.ready = deque()
        self.timers = []
        self.numbers = itertools.count()  # timers of one moment: in the order of their making
        self.readers = {}
        self.stopping = False

    def call_soon(self, callback, *args):
        self.ready.append((callback, args))

    def call_later(self, delay, callback, *args):
        heapq.heappush(self.timers, (time.monotonic() + delay, next(self.numbers), callback, args))

    def add_reader(self, fd, callback, *args):
        self.readers[fd] = callback, args

    def remove_reader(self, fd):
        del self.readers[fd]

    def stop(self):
        self.stopping = True

    def run_forever(self):
        self.stopping = False
        while not self.stopping:
            self.get_messages()
            for _ in range(len(self.ready)):
                process, args = self.ready.popleft()
                process(*args)

    def get_messages(self):
        poll = select.poll()
        for fd in self.readers:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(self.milliseconds_to_sleep()):
            self.ready.append(self.readers[fd])
        while self.timers and self.timers[0][0] <= time.monotonic():
            self.ready.append(heapq.heappop(self.timers)[2:])

    def milliseconds_to_sleep(self):
        if self.ready:
            return 0
        if not self.timers:
            return None
        return max(0, self.timers[0][0] - time.monotonic()) * 1000


class Job:
    """Runs a generator on a LittleLoop: it yields for how long it wants to sleep."""

    def __init__(self, loop, generator):
        self.loop = loop
        self.generator = generator
        self.step()

    def step(self):
        for pause in self.generator:
            self.loop.call_later(pause, self.step)
            return


def main(tour):
    def program(loop):
        readable, writable = os.pipe()
        order = []

        def process(message):
            print(f"    {message}")
            order.append(message)
            tour.sleep(0.2)

        def a():
            process("a")
            loop.call_soon(process, "c")
            os.write(writable, b"begin")

        def late():
            process("late")
            os.write(writable, b"quit")

        def on_message():
            message = os.read(readable, 64).decode()
            process(message)
            if message == "quit":
                loop.remove_reader(readable)
                loop.stop()
                return
            loop.call_later(tour.scaled(0.7), late)
            loop.call_later(tour.scaled(0.2), process, "early")

        loop.call_soon(a)
        loop.call_soon(process, "b")
        loop.add_reader(readable, on_message)
        loop.run_forever()
        os.close(readable)
        os.close(writable)
        return " ".join(order)

    pause = tour.scaled(0.1)

    running = 2

    def countdown(name, order):
        nonlocal running
        for number in (3, 2, 1):
            order.append(f"{name}{number}")
            yield pause
        running -= 1
        if running == 0:
            little.stop()

    async def real_countdown(name, order):
        for number in (3, 2, 1):
            order.append(f"{name}{number}")
            await asyncio.sleep(pause)

    async def two_countdowns(order):
        await asyncio.gather(real_countdown("x", order), real_countdown("y", order))

    print("the little loop:")
    little = LittleLoop()
    order = program(little)

    print("the loop of asyncio:")
    real = asyncio.new_event_loop()
    real_order = program(real)
    real.close()

    counted, really_counted = [], []
    Job(little, countdown("x", counted))
    Job(little, countdown("y", counted))
    little.run_forever()
    asyncio.run(two_countdowns(really_counted))

    tour.result("order", order)
    tour.result("order in asyncio", real_order)
    tour.result("two coroutines", " ".join(counted))
    tour.result("two coroutines in asyncio", " ".join(really_counted))


run(main)
