"""A web server that takes its time, in a thread, and how to get its pages.

    with slow_server({"/": 0.1}) as port:
        page = await get_data(port, "/")
"""

import asyncio
import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # of 5, the sixth client that comes at once waits for a second


@contextlib.contextmanager
def slow_server(delays):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in delays:
                self.send_error(404)
                return
            time.sleep(delays[self.path])
            page = f"<!doctype html>\n<!-- {self.path} -->\n{'.' * 20_000}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


async def get_data(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.split(b"\r\n\r\n", 1)[1].decode()
