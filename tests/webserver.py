"""A web server in a thread that answers requests as a test demands, mostly incorrectly."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """One file on a server.

    ``script`` holds what to do with the requests to come: a status to answer with, or the name of a method of
    ``Handler``. When it is empty, requests are answered as they should be.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.headers = {"ETag": '"1"'}
        self.script: deque[int | str] = deque()
        self.requests: list[dict[str, str]] = []
        self.go_on = threading.Event()
        self.url = ""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.site.requests.append(dict(self.headers))
        act = self.site.script.popleft() if self.site.script else "serve"
        # The client may close the connection at any time.
        with contextlib.suppress(ConnectionError):
            if isinstance(act, int):
                self.answer(act, b"")
            else:
                getattr(self, act)()

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in {**self.site.headers, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self) -> None:
        content, total = self.site.content, len(self.site.content)
        wanted = self.headers.get("Range")
        if wanted is None or self.headers.get("If-Range") not in self.site.headers.values():
            self.answer(200, content)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= total:
            self.answer(416, b"", Content_Range=f"bytes */{total}")
        else:
            self.answer(206, content[start:], Content_Range=f"bytes {start}-{total - 1}/{total}")

    def ignore_range(self) -> None:
        self.answer(200, self.site.content)

    def ignore_if_range(self) -> None:
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        total = len(self.site.content)
        self.answer(206, self.site.content[start:], Content_Range=f"bytes {start}-{total - 1}/{total}")

    def serve_another_range(self) -> None:
        total = len(self.site.content)
        self.answer(206, self.site.content[1:], Content_Range=f"bytes 1-{total - 1}/{total}")

    def serve_half(self) -> None:
        content = self.site.content
        self.answer(200, content[: len(content) // 2], len(content))

    def serve_three_quarters_in_chunks(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("ETag", self.site.headers["ETag"])
        self.end_headers()
        size = len(self.site.content) * 3 // 4
        self.wfile.write(b"%x\r\n%s\r\n" % (size, self.site.content[:size]))
        self.close_connection = True

    def reset_after_half(self) -> None:
        self.serve_half()
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def hang_after_half(self) -> None:
        self.serve_half()
        self.site.go_on.wait(30)

    def hang(self) -> None:
        self.site.go_on.wait(30)


@contextlib.contextmanager
def serving(content: bytes, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Serve a file, by HTTPS if there is a context for it."""
    site = Site(content)
    handler = type("OneSite", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that refuse the connection
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    site.url = f"{'http' if context is None else 'https'}://localhost:{server.server_port}/file"
    try:
        yield site
    finally:
        site.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
