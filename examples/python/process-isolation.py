"""Each process has its own memory: a global that a child changes stays as it was in the parent."""

import struct
import threading
from multiprocessing import Lock, Process, Value
from multiprocessing.shared_memory import SharedMemory

from support import run

STEPS = 1000
counter = 0


def increment():
    global counter
    for _ in range(STEPS):
        counter += 1


def increment_and_tell(told):
    increment()
    told.value = counter
    print(f"in the child: {counter}", flush=True)


def increment_value(shared):
    for _ in range(STEPS):
        with shared.get_lock():
            shared.value += 1


def increment_memory(name, lock):
    memory = SharedMemory(name)
    for _ in range(STEPS):
        with lock:
            struct.pack_into("i", memory.buf, 0, struct.unpack_from("i", memory.buf)[0] + 1)
    memory.close()


def main(tour):
    told = Value("i", -1)
    p = Process(target=increment_and_tell, args=(told,))
    p.start()
    p.join()
    print(f"in the parent after a process: {counter}")
    assert (told.value, counter) == (STEPS, 0)

    t = threading.Thread(target=increment)
    t.start()
    t.join()
    print(f"in the parent after a thread: {counter}")
    assert counter == STEPS

    processes, value, lock = tour.threads(2), Value("i", 0), Lock()
    memory = SharedMemory(create=True, size=4)
    try:
        sharing = []
        for _ in range(processes):
            sharing.append(Process(target=increment_value, args=(value,)))
            sharing.append(Process(target=increment_memory, args=(memory.name, lock)))
        for p in sharing:
            p.start()
        for p in sharing:
            p.join()
        in_memory = struct.unpack_from("i", memory.buf)[0]
        print(f"by {processes} processes each: a Value {value.value}, shared memory {in_memory}")
        assert value.value == in_memory == processes * STEPS
        tour.result("in the child", told.value)
        tour.result("shared Value", value.value)
        tour.result("shared memory", in_memory)
    finally:
        memory.close()
        memory.unlink()


if __name__ == "__main__":
    run(main)
