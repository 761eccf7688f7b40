"""A process for one peer, which receives requests as lines of JSON on standard input and answers on standard output.

Each peer has a separate process, because some import frameworks, start threads, and change settings of the process.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from benchmarks.peers import source
from benchmarks.peers.check import check
from benchmarks.peers.contract import NotOffered, Peer, Reader, Sample
from benchmarks.peers.jobs import measure
from benchmarks.peers.registry import load

READY = "ready.json"
PIECE = 8 << 20


class Service:
    """The requests of a worker, one per method.

    Parameters:
        name: of the peer.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.reader: Reader | None = None
        self.files: list[Path] = []

    @property
    def peer(self) -> Peer:
        """The peer; imported on first use, so that a failure becomes an answer."""
        return load(self.name)

    def prepare(self, dataset: str, n: int, folder: str) -> dict[str, Any]:
        """Write the samples, unless they exist."""
        target = Path(folder)
        if not (target / READY).exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            try:
                self.peer.write(source.samples(dataset, n), target)
            except BaseException:
                shutil.rmtree(target)
                raise
            (target / READY).write_text(json.dumps({"dataset": dataset, "n": n}))
        return {"megabytes": disk_bytes(target) / 1e6}

    def open(self, folder: str) -> dict[str, Any]:
        """Open the samples."""
        self.reader = self.peer.open(Path(folder))
        self.files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {}

    def check(self, dataset: str, n: int) -> dict[str, Any]:
        """Compare the samples of the reader with the source."""
        check(self.opened(), dataset, n)
        return {}

    def measure(self, job: str, seconds: float) -> dict[str, Any]:
        """Do one job for some time, with all files in the page cache."""
        for path in self.files:
            warm(path)
        gc.collect()
        return dataclasses.asdict(measure(job, self.opened(), seconds))

    def write(self, dataset: str, n: int, folder: str) -> dict[str, Any]:
        """Write samples from memory into a folder, which is then removed. Returns samples per second."""
        samples = list(source.samples(dataset, n))
        Path(folder).mkdir(parents=True, exist_ok=True)
        gc.collect()
        self.written(samples[:1], folder)  # imports what it needs
        return {"rate": n / self.written(samples, folder)}

    def written(self, samples: list[Sample], folder: str) -> float:
        """Seconds for writing samples into a folder, which is then removed."""
        peer = self.peer
        with tempfile.TemporaryDirectory(dir=folder, prefix=f"write-{self.name}-") as target:
            started = time.perf_counter()
            peer.write(iter(samples), Path(target))
            return time.perf_counter() - started

    def close(self) -> dict[str, Any]:
        """Close the reader."""
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.close()
        return {}

    def opened(self) -> Reader:
        """The reader."""
        if self.reader is None:
            raise RuntimeError("nothing is open")
        return self.reader


def disk_bytes(folder: Path) -> int:
    """Bytes of the files of a folder on the disk, without the file that marks them as complete."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != READY]
    return sum(path.stat().st_blocks * 512 for path in files)


def warm(path: Path) -> None:
    """Read a file once, so that the page cache holds it."""
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(PIECE)
        while file.readinto(buffer):
            pass


def answer(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of a request."""
    try:
        return {"status": "done", **act()}
    except NotOffered as reason:
        return {"status": "not offered", "reason": str(reason)}
    except Exception as error:
        traceback.print_exc()
        return {"status": "failed", "reason": f"{type(error).__name__}: {error}"}


def serve(service: Service, requests: TextIO, answers: TextIO) -> None:
    """Answer requests until the input ends."""
    for line in requests:
        request = json.loads(line)
        act = getattr(service, request.pop("do"))
        answers.write(json.dumps(answer(lambda: act(**request))) + "\n")  # noqa: B023 - called at once
        answers.flush()


def main() -> None:
    """Serve on standard input and output. The output of a peer is sent to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    service = Service(sys.argv[1])
    serve(service, sys.stdin, answers)
    service.close()


if __name__ == "__main__":
    main()
