"""A web server in threads that serves ranges of objects, and fails on demand."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

Act = int | str | None
LONGEST_SECONDS = 30.0
TRICKLE_SECONDS = 0.01


class Site:
    """Objects by path, and how requests for them are answered.

    Attributes:
        objects: the bytes of each path, such as ``/x.bin``.
        script: how the next requests are answered: a status, or the name of a method of `Handler`.
        act: called with the number of a request if the script is empty; returns the same, or None to serve it.
        retry_after: the header ``Retry-After`` of answers with a status.
        versions: number of replacements of each object.
        requests: method, path and headers of all requests.
        uploads: parts of incomplete objects, by number.
        most_in_flight: maximum number of concurrent requests; some of their answers may have arrived.
        most_paused: maximum number of concurrent requests in `Handler.pause`.
    """

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.script: deque[Act] = deque()
        self.act: Callable[[int], Act] = lambda number: None
        self.retry_after: str | None = None
        self.has_tags = self.has_head = self.checks_tags = True
        self.weak = False
        self.versions: dict[str, int] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.in_flight = self.most_in_flight = self.paused = self.most_paused = 0
        self.lock = threading.Lock()
        self.go_on = threading.Event()
        self.url = ""
        self.uploads: dict[str, dict[int, bytes]] = {}

    def replace(self, path: str, content: bytes) -> None:
        with self.lock:
            self.objects[path] = content
            self.versions[path] = self.versions.get(path, 0) + 1

    def tag(self, path: str) -> str:
        return f'{"W/" if self.weak else ""}"{self.versions.get(path, 0)}"'

    def ranges(self) -> list[tuple[int, int]]:
        """The requested ranges, in order."""
        found = [
            re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", "")) for _, _, headers in self.requests
        ]
        return [(int(match[1]), int(match[2]) + 1) for match in found if match]


class Handler(BaseHTTPRequestHandler):
    site: Site
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_POST(self) -> None:
        self.do_PUT()

    def do_GET(self) -> None:
        site, path = self.site, unquote(self.path.partition("?")[0])
        with site.lock:
            number = len(site.requests)
            site.requests.append(
                (self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
            )
            site.in_flight += 1
            site.most_in_flight = max(site.most_in_flight, site.in_flight)
            act = site.script.popleft() if site.script else site.act(number)
        # The client may close the connection at any time.
        try:
            with contextlib.suppress(ConnectionError):
                if isinstance(act, int):
                    self.answer(act, b"as told")
                elif act is None:
                    self.serve(path)
                else:
                    getattr(self, act)(path)
                self.wfile.flush()
        finally:
            with site.lock:
                site.in_flight -= 1

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if self.site.retry_after is not None:
            self.send_header("Retry-After", self.site.retry_after)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def wanted(self, path: str) -> tuple[int, bytes, dict[str, str]] | None:
        """Status, body and headers of the correct answer; None if it was sent already."""
        site = self.site
        content = site.objects.get(path)
        headers = {"ETag": site.tag(path)} if site.has_tags else {}
        expected = self.headers.get("If-Match")
        if content is None or (self.command == "HEAD" and not site.has_head):
            self.answer(404 if content is None else 403, b"")
        elif site.checks_tags and expected not in (None, site.tag(path)):
            self.answer(412, b"")
        elif (match := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))) is None:
            return 200, content, headers
        elif (start := int(match[1])) >= len(content):
            self.answer(416, b"", Content_Range=f"bytes */{len(content)}")
        else:
            body = content[start : int(match[2]) + 1]
            headers["Content_Range"] = f"bytes {start}-{start + len(body) - 1}/{len(content)}"
            return 206, body, headers
        return None

    def serve(self, path: str) -> None:
        if (wanted := self.wanted(path)) is not None:
            self.answer(*wanted[:2], **wanted[2])

    def ignore_range(self, path: str) -> None:
        self.answer(200, self.site.objects[path])

    def serve_other_range(self, path: str) -> None:
        """The first bytes, whatever was requested."""
        content = self.site.objects[path]
        headers = {"ETag": self.site.tag(path), "Content_Range": f"bytes 0-9/{len(content)}"}
        self.answer(206, content[:10], **headers)

    def serve_half(self, path: str) -> None:
        """Half of the bytes that the headers announce."""
        status, body, headers = self.wanted(path) or (500, b"", {})
        self.answer(status, body[: len(body) // 2], len(body), **headers)
        self.wfile.flush()
        self.close_connection = True

    def chunk_half(self, path: str) -> None:
        """Half of the range, in chunks that end correctly."""
        status, body, headers = self.wanted(path) or (500, b"", {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        half = body[: len(body) // 2]
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(half), half))

    def reset_after_half(self, path: str) -> None:
        self.serve_half(path)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def reset(self, path: str) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def trickle(self, path: str) -> None:
        """A few bytes at a time."""
        status, body, headers = self.wanted(path) or (500, b"", {})
        self.answer(status, b"", len(body), **headers)
        for i in range(0, len(body), 16):
            self.wfile.write(body[i : i + 16])
            self.wfile.flush()
            if self.site.go_on.wait(TRICKLE_SECONDS):
                break

    def stall(self, path: str) -> None:
        """No answer, until the server ends."""
        self.site.go_on.wait(LONGEST_SECONDS)
        self.close_connection = True

    def stall_after_half(self, path: str) -> None:
        self.serve_half(path)
        self.site.go_on.wait(LONGEST_SECONDS)

    def expired(self, path: str) -> None:
        """The answer of S3 to expired credentials."""
        self.answer(400, b"<Error><Code>ExpiredToken</Code></Error>")

    def pause(self, path: str) -> None:
        site = self.site
        with site.lock:
            site.paused += 1
            site.most_paused = max(site.most_paused, site.paused)
        time.sleep(0.1)
        with site.lock:
            site.paused -= 1
        self.serve(path)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # the client has closed the connection


@contextlib.contextmanager
def serving(objects: dict[str, bytes], handler: type[Handler] = Handler) -> Iterator[Site]:
    """Serve objects from this process."""
    site = Site(objects)
    server = Server(("127.0.0.1", 0), type("OneSite", (handler,), {"site": site}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        site.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
