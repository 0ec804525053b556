"""A slow link to a Redis: a unix socket that passes everything on, with a delay that a test sets."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from pathlib import Path


class SlowLink:
    """Listens at `path`. Answers of the server come `delay_s` late, each time."""

    def __init__(self, path: Path, target: Path) -> None:
        self.url = f"unix://{path}"
        self.delay_s = 0.0
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._target))
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            try:
                while True:
                    for key, _ in ready.select():
                        data = key.fileobj.recv(1_048_576)  # type: ignore[union-attr]
                        if not data:
                            return
                        if key.fileobj is server:
                            time.sleep(self.delay_s)
                        key.data.sendall(data)
            except OSError:
                pass
