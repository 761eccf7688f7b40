"""A program that is run with `failing_storage` loaded: passes over one data file while its storage fails.

Its argument is JSON: the path, the number of samples, and by name for each pass the mode, the options of the reader and
the faults. The mode "pass" reads all samples, "samples" reads some, and "replaced" reads some after another file took
the place of the path. It prints by name the result, the time in seconds, and the number of reads that failed.
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
    """Inject these faults into reads of the file, after the first few reads."""
    settings = {**dict.fromkeys(FAULTS, 0), "FAR_FIRST": 10, "FAR_INODE": path.stat().st_ino, **faults}
    os.environ.update({name: str(value) for name, value in settings.items()})
    ctypes.CDLL(None).far_begin()


def read_all(path: Path, n: int, options: dict[str, Any]) -> bool:
    """Whether every sample was delivered exactly once."""

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
    """Whether the first samples have the expected values."""
    with MsgpackReader(path, **options) as reader:
        return [reader[i]["label"] for i in range(20)] == list(range(20))


def read_replaced(path: Path, n: int, options: dict[str, Any]) -> bool:
    """As `read_samples`, after the file was replaced."""
    with MsgpackReader(path, **options) as reader:
        copy = path.with_suffix(".copy")
        shutil.copyfile(path, copy)
        os.utime(copy, (0, 0))
        copy.replace(path)
        return [reader[i]["label"] for i in range(20)] == list(range(20))


MODES: dict[str, Callable[[Path, int, dict[str, Any]], bool]] = {
    "pass": read_all,
    "samples": read_samples,
    "replaced": read_replaced,
}


def count_resources() -> tuple[int, int]:
    """Number of threads and of descriptors."""
    gc.collect()
    return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))


def outcome(path: Path, n: int, mode: str, options: dict[str, Any]) -> Any:
    """The result, or the class, number and message of the error."""
    try:
        return MODES[mode](path, n, options)
    except Exception as error:
        return [type(error).__name__, getattr(error, "errno", None), str(error)]


def main() -> None:
    """Run all passes, in order."""
    job = json.loads(sys.argv[1])
    path, n = Path(job["path"]), job["n"]
    results = {}
    for name, (mode, options, faults) in job["passes"].items():
        begin(path, faults)
        before, started = count_resources(), time.monotonic()
        found = outcome(path, n, mode, options)
        results[name] = found, time.monotonic() - started, ctypes.CDLL(None).far_failed()
        assert count_resources() == before, (name, count_resources(), before)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
