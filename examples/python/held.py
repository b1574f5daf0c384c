"""What a thread, a task or a process holds that only waits: in KiB, each.

    count, resident, reserved = held_by_threads(1000)
"""

import asyncio
import multiprocessing
import threading


def kib_in(path, name):
    """A line of a file of /proc; -1: there is none."""
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1])
    except OSError:
        pass
    return -1


def resident():
    return kib_in("/proc/self/smaps_rollup", "Rss:")


def private(pid):
    path = f"/proc/{pid}/smaps_rollup"
    return kib_in(path, "Private_Clean:") + kib_in(path, "Private_Dirty:")


def held_by_tasks(count):
    async def wait_for(end, there):
        there.append(1)
        await end.wait()

    async def amain():
        end, there = asyncio.Event(), []
        before = resident()
        tasks = [asyncio.create_task(wait_for(end, there)) for _ in range(count)]
        while len(there) < count:
            await asyncio.sleep(0)
        each = (resident() - before) / count
        end.set()
        await asyncio.gather(*tasks)
        return len(there), each, each

    return asyncio.run(amain())


def held_by_threads(count):
    end, there = threading.Event(), threading.Semaphore(0)

    def wait():
        there.release()
        end.wait()

    before, reserved_before = resident(), kib_in("/proc/self/status", "VmSize:")
    threads = [threading.Thread(target=wait) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in threads:
        there.acquire()
    each = (resident() - before) / count
    reserved = (kib_in("/proc/self/status", "VmSize:") - reserved_before) / count
    end.set()
    for thread in threads:
        thread.join()
    return count, each, reserved


def wait_in_process(there, end):
    there.release()
    end.wait()


def held_by_processes(count):
    there, end = multiprocessing.Semaphore(0), multiprocessing.Event()
    processes = [multiprocessing.Process(target=wait_in_process, args=(there, end)) for _ in range(count)]
    for process in processes:
        process.start()
    for _ in processes:
        there.acquire()
    each = sum(private(process.pid) for process in processes) / count
    reserved = sum(kib_in(f"/proc/{process.pid}/status", "VmSize:") for process in processes) / count
    end.set()
    for process in processes:
        process.join()
    return count, each, reserved
