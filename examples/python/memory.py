"""What a thread, a task and a process hold that only wait."""

from held import held_by_processes, held_by_tasks, held_by_threads
from support import run


def main(tour):
    tasks = held_by_tasks(tour.size(10_000, 2_000))
    threads = held_by_threads(tour.size(1_000, 100))
    processes = held_by_processes(8)
    print(f"  {'each':12}{'at once':>8}{'takes':>14}{'reserves':>14}")
    for what, (count, resident, reserved) in (("a task", tasks), ("a thread", threads), ("a process", processes)):
        print(f"  {what:12}{count:8}{resident:10.1f} KiB{reserved:10.1f} KiB")
        tour.result({"a task": "tasks", "a thread": "threads", "a process": "processes"}[what] + " that waited", count)


if __name__ == "__main__":
    run(main)
