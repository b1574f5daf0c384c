"""A daemon thread is cut off when the program ends; join() waits for it."""

import subprocess
import sys
import threading
import time

from support import run


def countdown_timer(seconds, scale):
    for i in range(seconds, 0, -1):
        print(f"timer: {i} s", flush=True)
        time.sleep(scale)


def program(scale, daemon):
    timer_thread = threading.Thread(target=countdown_timer, args=(5, scale), daemon=daemon)
    timer_thread.start()
    print("other work: sleep(3)", flush=True)
    time.sleep(3 * scale)
    print("sleep(3) is over", flush=True)
    if not daemon:
        timer_thread.join()


def main(tour):
    for how in ("daemon", "join"):
        print(f"{how}:", flush=True)
        lines = 0
        child = [sys.executable, __file__, "--child", how, str(tour.scale)]
        with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                lines += line.startswith("timer:")
        assert process.returncode == 0
    tour.result("lines with join()", lines)


if sys.argv[1:2] == ["--child"]:
    program(float(sys.argv[3]), sys.argv[2] == "daemon")
else:
    run(main)
