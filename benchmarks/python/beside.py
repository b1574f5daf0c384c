"""What the scripts here share: nogil's figure for a case, and a command line that asks for its program."""

import argparse
import json
import subprocess
import tempfile


def ours_of(program, case, rival):
    """One hold of nogil's, in ns; None when it did not run."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [program, "--filter=^" + case + "<" + rival + ">", "--holds=1", "--json=" + file.name]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        rows = json.load(file)["cases"] if done.returncode == 0 else []
    return (rows[0]["peers"].get(rival) or rows[0]["ours_ns"]) if rows else None


def text_of(ns):
    if ns is None:
        return "-"
    return f"{ns:.1f} ns" if ns < 1e3 else f"{ns / 1e3:.2f} us" if ns < 1e6 else f"{ns / 1e6:.2f} ms"


def options_of(description, holds):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", help="nogil-bench, to measure beside CPython")
    parser.add_argument("--filter", default="", help="only the cases whose name has this in it")
    parser.add_argument("--holds", type=int, default=holds, help="how many of each (%(default)s)")
    return parser.parse_args()
