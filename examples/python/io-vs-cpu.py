"""A job that waits and a job that computes, in all four models: one table."""

import os
import urllib.request
from functools import partial

from models import MODELS, by_each_model, count_part, count_part_async
from slow_pages import get_data, slow_server
from support import run

PAGES = 8
DELAY = 0.25


def get_page(port, page):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/page/{page}") as src:
        return len(src.read())


async def get_page_async(port, page):
    return len(await get_data(port, f"/page/{page}"))


def main(tour):
    with slow_server({f"/page/{page}": tour.scaled(DELAY) for page in range(PAGES)}) as port:
        pages, lengths = by_each_model(PAGES, PAGES, partial(get_page, port), partial(get_page_async, port))

    job = (tour.size(1_000_000, 200_000), 32)
    workers = tour.threads(len(os.sched_getaffinity(0)))
    primes, counted = by_each_model(job[1], workers, partial(count_part, *job), partial(count_part_async, *job))

    print(f"{'':12}{f'{PAGES} pages':>12}{'':12}{'primes':>12}{'':12}{'cores':>12}")
    counts = set()
    for model in MODELS:
        cores = sum(cpu for _, cpu in counted[model]) / primes[model]
        counts.add(sum(n for n, _ in counted[model]))
        print(
            f"{model:12}{pages[model]:10.3f} s{pages['sequential'] / pages[model]:11.1f}x"
            f"{primes[model]:10.3f} s{primes['sequential'] / primes[model]:11.1f}x{cores:12.1f}"
        )
    print(f"fastest here: {min(pages, key=pages.get)} for the pages, {min(primes, key=primes.get)} for the primes")
    tour.result("pages in each model", len(lengths["processes"]))
    tour.result("the same pages", all(lengths[model] == lengths["sequential"] for model in MODELS))
    tour.result("primes", max(counts))
    tour.result("in each model", len(counts) == 1)


if __name__ == "__main__":
    run(main)
