"""A webhook on loopback that remembers what it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Hook:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.answers: list[int] = []  # of the next calls; then 200
        self.fetched: list[str] = []  # what it led to
        self.url = ""
        self.authorizations: list[str | None] = []


@contextmanager
def hook() -> Iterator[Hook]:
    seen = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.authorizations.append(self.headers["Authorization"])
            answer = seen.answers.pop(0) if seen.answers else 200
            if answer == 200:
                seen.told.append(json.loads(body))
            self.send_response(answer)
            if answer == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            seen.fetched.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
