"""Installed servers as processes of a test."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable

SECONDS = 20.0


def free_port() -> int:
    """An unused port of this machine."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a process listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def await_start(process: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> None:
    """Wait for a server; RuntimeError if it ends, or takes too long."""
    end = time.monotonic() + SECONDS
    while not is_up():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args!r} does not start")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process; it may have ended already."""
    process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process."""
    process.kill()
    process.wait()
