"""Thirteen pages from a slow server, with 1 to 32 threads."""

import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support import run

PAGES = {
    "/": 0.15,
    "/3/": 0.12,
    "/3/whatsnew/3.12.html": 0.28,
    "/3/tutorial/index.html": 0.17,
    "/3/library/index.html": 0.25,
    "/3/reference/index.html": 0.21,
    "/3/using/index.html": 0.11,
    "/3/howto/index.html": 0.13,
    "/3/installing/index.html": 0.10,
    "/3/distributing/index.html": 0.10,
    "/3/extending/index.html": 0.14,
    "/3/c-api/index.html": 0.22,
    "/3/faq/index.html": 0.16,
}


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # of 5, the sixth client that comes at once waits for a second


def slow_server(tour):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in PAGES:
                self.send_error(404)
                return
            tour.sleep(PAGES[self.path])
            page = f"<!doctype html>\n<!-- {self.path} -->\n{'.' * 20_000}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def get_data(url):
    with urllib.request.urlopen(url) as src:
        return src.read()


def main(tour):
    server = slow_server(tour)
    urls = [f"http://127.0.0.1:{server.server_port}{path}" for path in PAGES]
    delays = [tour.scaled(delay) for delay in PAGES.values()]
    print(f"{len(urls)} pages; their delays: {sum(delays):.3f} s in all, {max(delays):.3f} s the longest")

    start = time.perf_counter()
    expected = []
    for url in urls:
        page = get_data(url)
        expected.append(page)
    print(f"{'a loop':24}{time.perf_counter() - start:.3f} s wall")

    for workers in (1, 4, 8, 16, tour.threads(32)):
        start = time.perf_counter()
        with ThreadPoolExecutor(workers) as executor:
            results = list(executor.map(get_data, urls))
        print(f"{f'ThreadPoolExecutor({workers})':24}{time.perf_counter() - start:.3f} s wall")
        if workers == 1:
            print(results[0][:20])
            tour.result("begins with", results[0][:20])
        assert results == expected
    server.shutdown()
    server.server_close()


run(main)
