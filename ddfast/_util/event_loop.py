"""The event loop that asynchronous readers and writers need."""

from __future__ import annotations

import asyncio

from ddfast.errors import EventLoopError

__all__ = ["require_event_loop"]


def require_event_loop(user: str, blocking: str) -> asyncio.AbstractEventLoop:
    """The event loop of asyncio, or of uvloop, that is running in this thread.

    Parameters:
        user: what needs it, for the error message.
        blocking: what can be used without it.

    Raises:
        EventLoopError: there is none, for example because the program runs on trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise EventLoopError(
            f"{user} needs the event loop of asyncio or uvloop, and none is running in this thread. Run the program "
            f"with asyncio.run, or with anyio on its asyncio backend; on trio and without an event loop, use "
            f"{blocking}, for example in a thread"
        ) from None
