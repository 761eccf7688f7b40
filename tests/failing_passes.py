"""A program to be run with `failing_storage` loaded: passes over one data file, while storage fails in several ways.

Its argument is JSON: the path, the number of samples, and for each pass by its name what is read, the reader's options
and the faults. "pass" reads all, "samples" some, and "replaced" the same where another file takes the path's place
first. It prints, by name, what came of it, the seconds that took, and how many reads failed.
"""

import asyncio
import ctypes
import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddfast import AsyncReader, MsgpackReader

FAULTS = ("FAR_ERRNO", "FAR_SHORT", "FAR_HANG_MS", "FAR_COUNT")


def begin(path: Path, faults: dict[str, int]) -> None:
    """Fail like that from the next read of the file on, a few spared."""
    settings = {**dict.fromkeys(FAULTS, 0), "FAR_FIRST": 10, "FAR_INODE": path.stat().st_ino, **faults}
    os.environ.update({name: str(value) for name, value in settings.items()})
    ctypes.CDLL(None).far_begin()


def read_all(path: Path, n: int, options: dict[str, Any]) -> bool:
    """True if every sample came, once."""

    async def read() -> list[int]:
        labels: list[int] = []
        async with AsyncReader(path, **options) as reader:
            async for batch in reader.batches(16, shuffle=True, seed=1):
                for sample in batch:
                    assert sample["image"] == bytes([sample["label"] % 251]) * (500 + sample["label"])
                labels.extend(batch["label"].tolist())
        return labels

    return sorted(asyncio.run(read())) == list(range(n))


def read_samples(path: Path, n: int, options: dict[str, Any]) -> bool:
    """True if the first samples are what they should be."""
    with MsgpackReader(path, **options) as reader:
        return [reader[i]["label"] for i in range(20)] == list(range(20))


def read_replaced(path: Path, n: int, options: dict[str, Any]) -> bool:
    """As `read_samples`, of a file that is another one by then."""
    with MsgpackReader(path, **options) as reader:
        copy = path.with_suffix(".copy")
        shutil.copyfile(path, copy)
        os.utime(copy, (0, 0))
        copy.replace(path)
        return [reader[i]["label"] for i in range(20)] == list(range(20))


HOW: dict[str, Callable[[Path, int, dict[str, Any]], bool]] = {
    "pass": read_all,
    "samples": read_samples,
    "replaced": read_replaced,
}


def left() -> tuple[int, int]:
    """Threads and descriptors."""
    gc.collect()
    return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))


def outcome(path: Path, n: int, how: str, options: dict[str, Any]) -> Any:
    """True, or the error's class, number and message."""
    try:
        return HOW[how](path, n, options)
    except Exception as error:
        return [type(error).__name__, getattr(error, "errno", None), str(error)]


def main() -> None:
    """Run all, in their order."""
    job = json.loads(sys.argv[1])
    path, n = Path(job["path"]), job["n"]
    results = {}
    for name, (how, options, faults) in job["passes"].items():
        begin(path, faults)
        before, started = left(), time.monotonic()
        found = outcome(path, n, how, options)
        results[name] = found, time.monotonic() - started, ctypes.CDLL(None).far_failed()
        assert left() == before, (name, left(), before)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
