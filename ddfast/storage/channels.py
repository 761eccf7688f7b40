"""Connections of HTTP/1.1 that read ranges straight into the memory where they belong.

obstore needs several threads and two copies for a range, which costs more of the processor than all else that is done
for it. So ranges that are read in the loop of an agent are asked for here, where the way to the server is plain and the
object is known already; whatever else there is, first of all signatures, redirections and proxies, is left to obstore.

A connection has one request at a time, for one buffer. When the request ends, however it does, the connection has let
go of the buffer; if the answer was not wholly read, the connection is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from typing import cast

from ddfast.storage.heads import Answer, Route, head_of_answer

__all__ = ["BrokenAnswerError", "Channels", "here", "opened"]

HEAD_BYTES = 16 << 10
END = b"\r\n\r\n"


class BrokenAnswerError(Exception):
    """An answer broke off, or is none of HTTP.

    Parameters:
        reason: what is wrong.
        got: bytes of the body that have come.
        is_stale: nothing at all has come: the connection was closed before, as servers do when it was idle for long.
    """

    def __init__(self, reason: str, got: int = 0, is_stale: bool = False) -> None:
        super().__init__(reason)
        self.got = got
        self.is_stale = is_stale


class Channel(asyncio.BufferedProtocol):
    """One connection."""

    __slots__ = (
        "_answer",
        "_body",
        "_filled",
        "_future",
        "_got",
        "_head",
        "_loop",
        "_target",
        "_transport",
        "is_open",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._head = memoryview(bytearray(HEAD_BYTES))
        self._filled = 0  # bytes of the head that have come
        self._target: memoryview | None = None  # where the body is wanted
        self._body: memoryview | None = None  # the same, as soon as the head has come
        self._got = 0  # bytes of the body that have come
        self._answer: Answer | None = None
        self._future: asyncio.Future[Answer] | None = None
        self.is_open = False

    def ask(self, head: bytes, target: memoryview) -> asyncio.Future[Answer]:
        """Send a request. The future gives what was answered; if the body is as long as the target, it is there.

        Of any other answer the body is not read, and the connection is closed.
        """
        self._target = target
        self._future = future = self._loop.create_future()
        assert self._transport is not None
        self._transport.write(head)
        return future

    def abort(self) -> None:
        """Close the connection at once and let go of the buffer."""
        self.is_open = False
        self._target = self._body = self._future = None
        self._filled = 0
        if self._transport is not None:
            self._transport.abort()

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)  # those of uvloop say that they are another
        self.is_open = True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        reason = str(error) if error else "the server closed the connection"
        self._break(BrokenAnswerError(reason, self._got if self._body is not None else 0, self._filled == 0))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes belong."""
        if self._body is not None:
            return self._body[self._got :]
        return self._head[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come."""
        if self._body is not None:
            self._got += nbytes
            if self._got == len(self._body):
                self._finish()
        elif self._future is None:  # nothing was asked for
            self.abort()
        else:
            self._filled += nbytes
            self._read_head()

    def _read_head(self) -> None:
        came = bytes(self._head[: self._filled])
        end = came.find(END)
        if end < 0:
            if self._filled == HEAD_BYTES:
                self._break(BrokenAnswerError(f"the head of the answer is longer than {HEAD_BYTES:,} bytes"))
            return
        try:
            self._answer = answer = head_of_answer(came[:end])
        except ValueError as error:
            self._break(BrokenAnswerError(str(error)))
            return
        target = self._target
        assert target is not None
        rest = self._filled - end - len(END)
        if answer.status != 206 or answer.length != len(target) or rest > len(target):
            self._settle(answer)
            self.abort()
            return
        target[:rest] = self._head[end + len(END) : self._filled]
        self._body, self._got = target, rest
        if rest == len(target):
            self._finish()

    def _finish(self) -> None:
        """The answer has come."""
        answer = self._answer
        assert answer is not None
        self._settle(answer)
        if not answer.lasts:
            self.abort()

    def _settle(self, answer: Answer) -> None:
        future, self._future = self._future, None
        self._target = self._body = None
        self._filled = 0
        if future is not None and not future.done():
            future.set_result(answer)

    def _break(self, error: BrokenAnswerError) -> None:
        future = self._future
        self.abort()
        if future is not None and not future.done():
            future.set_exception(error)


class Channels:
    """The connections of one event loop, which is the running one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Route, list[Channel]] = {}
        self._all: set[Channel] = set()
        self._trust: ssl.SSLContext | None = None

    async def read(self, route: Route, head: bytes, target: memoryview) -> Answer:
        """Make a request, and fill the target if the answer is as long as that.

        Raises:
            BrokenAnswerError: the answer broke off.
            OSError: there is no connection to be had.
        """
        idle = self._idle.setdefault(route, [])
        while True:
            channel = self._usable(idle)
            is_new = channel is None
            if channel is None:
                channel = await self._connect(route)
            try:
                answer = await channel.ask(head, target)
            except BrokenAnswerError as error:
                self._all.discard(channel)
                if error.is_stale and not is_new:
                    continue
                raise
            except BaseException:
                channel.abort()
                self._all.discard(channel)
                raise
            if channel.is_open:
                idle.append(channel)
            else:
                self._all.discard(channel)
            return answer

    def _usable(self, idle: list[Channel]) -> Channel | None:
        """The connection that was used last, of those that are open still."""
        while idle:
            channel = idle.pop()
            if channel.is_open:
                return channel
            self._all.discard(channel)
        return None

    async def _connect(self, route: Route) -> Channel:
        trust = self._trusted() if route.secure else None
        loop = self._loop
        _, channel = await loop.create_connection(lambda: Channel(loop), route.host, route.port, ssl=trust)
        self._all.add(channel)
        return channel

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = ssl.create_default_context()
        return self._trust

    def close(self) -> None:
        """Close all connections. The loop has to turn once more."""
        for channel in self._all:
            channel.abort()
        self._all.clear()
        self._idle.clear()


class _Here(threading.local):
    channels: Channels | None = None


_here = _Here()


def here() -> Channels | None:
    """The connections of this thread's loop; None where there are none, outside of `opened`."""
    return _here.channels


@contextlib.contextmanager
def opened() -> Iterator[None]:
    """Have connections in the running loop, which is the only one of this thread, and close them in the end."""
    _here.channels = Channels()
    try:
        yield
    finally:
        _here.channels.close()
        _here.channels = None
