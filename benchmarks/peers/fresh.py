"""Fresh processes: the time to the first sample, and the peak of memory."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.peers.team import Failed, WorkerLost, environment

# What such a process runs. Its imports are those of a program that reads samples, and count.
FIRST = """
import sys
from pathlib import Path
from benchmarks.peers.formats.{name} import PEER
reader = PEER.open(Path(sys.argv[1]))
stream = reader.samples()
if hasattr(stream, "__aiter__"):
    sample = reader.run(stream.__anext__())
else:
    sample = next(iter(stream))
sys.__stdout__.write("first sample\\n")
sys.__stdout__.flush()
"""
PASS = """
from benchmarks.peers import jobs
class Once(jobs.LateWatch):
    seen = 0
    def more(self, n):
        self.seen += n
        return super().more(n) and self.seen < len(reader)
jobs.batches(reader, Once({seconds}))
with open("/proc/self/status") as status:
    sys.__stdout__.write(next(line for line in status if line.startswith("VmHWM")))
    sys.__stdout__.flush()
"""
PASS_SECONDS = 3.0
EXIT_SECONDS = 5.0


def first_sample(name: str, folder: Path, timeout: float) -> float:
    """Milliseconds from the start of a process until it has the first sample.

    Raises:
        Failed: the process has delivered no sample.
    """
    return run(FIRST.format(name=name), folder, rb"first sample\n", timeout)[1] * 1e3


def peak_memory(name: str, folder: Path, timeout: float) -> float:
    """Peak of resident memory, in MB, of a process that makes one pass over all batches, or 3 s of it.

    Raises:
        Failed: the pass failed.
    """
    code = FIRST.format(name=name) + PASS.format(seconds=PASS_SECONDS)
    kilobytes = run(code, folder, rb"VmHWM:\s*(\d+) kB\n", timeout)[0].group(1)
    return int(kilobytes) * 1024 / 1e6


def run(code: str, folder: Path, until: bytes, timeout: float) -> tuple[re.Match[bytes], float]:
    """Run code until its output matches a pattern. Returns the match, and the seconds until then.

    The process then ends by itself, because some peers clean up at exit.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    ended = 0.0
    try:
        found = _wait_for(process, re.compile(until), time.monotonic() + timeout)
        seconds = time.perf_counter() - started
        ended = EXIT_SECONDS
        return found, seconds
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=ended)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait_for(process: subprocess.Popen[bytes], until: re.Pattern[bytes], deadline: float) -> re.Match[bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    written = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    output = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        for fd in written:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                raise WorkerLost("a fresh process did not answer in time")
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                written[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
            if found := until.search(written[output]):
                return found
    lines = written[process.stderr.fileno()].decode(errors="replace").strip().split("\n")
    raise Failed(f"a fresh process ended early: {lines[-1]}")
