"""The worker processes, as the command uses them: requests with time limits, and a defined end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 5.0


class Failed(Exception):  # noqa: N818 - an answer too
    """A peer has failed; the message describes how."""


class WorkerLost(Failed):
    """The process died, or had to be killed."""


def environment() -> dict[str, str]:
    """Environment variables of the processes: the path of this package, and settings that disable telemetry."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    quiet = {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "LITDATA_DISABLE_VERSION_CHECK": "1"}
    return {**os.environ, "PYTHONPATH": path, **quiet}


class Worker:
    """One process of `benchmarks.peers.worker`, in a separate process group.

    Parameters:
        name: of the peer.
        log: file for its output.
        module: the module that runs in it.
    """

    def __init__(self, name: str, log: Path, module: str = "benchmarks.peers.worker") -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
                start_new_session=True,
            )
        self.unread = b""

    def ask(self, do: str, timeout: float, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Raises:
            Failed: the request failed, and the worker still runs.
            WorkerLost: it died, or did not answer within ``timeout`` seconds and was killed.
            NotOffered: the peer does not support this.
        """
        from benchmarks.peers.contract import NotOffered

        line = json.dumps({"do": do, **arguments}).encode() + b"\n"
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(line)
            self.process.stdin.flush()
            reply = json.loads(self._line(time.monotonic() + timeout))
        except TimeoutError:
            self.kill()
            raise WorkerLost(f"no answer within {timeout:g} s") from None
        except (OSError, EOFError):
            raise WorkerLost(self._obituary()) from None
        if reply["status"] == "failed":
            raise Failed(reply["reason"])
        if reply["status"] == "not offered":
            raise NotOffered(reply["reason"])
        return dict(reply)

    def _line(self, deadline: float) -> bytes:
        """The next line of the answers."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise TimeoutError
                piece = os.read(fd, 1 << 16)
                if not piece:
                    raise EOFError
                self.unread += piece
        line, _, self.unread = self.unread.partition(b"\n")
        return line

    def _obituary(self) -> str:
        """How the process ended, and the last line that it printed."""
        self.kill()
        code = self.process.returncode
        how = f"died of signal {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        lines = self.log.read_text(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"its process {how}" + (f": {last}" if last else "")

    def close(self) -> None:
        """End the process; kill it if it does not end."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the process and all processes that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
