"""Measure the memory of a full pass of ``batches(256)`` over the dataset of 2.1 GB.

The pass runs in a new process. The result is the peak of the resident memory, minus that of the
interpreter after ddfast was imported.

Example:
  python benchmarks/memory.py --data /tmp/ddfast-data --prefetch-bytes 67108864
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

MIB = 1 << 20
KINDS = ("VmRSS", "RssAnon", "RssFile", "VmHWM")
POLL_SECONDS = 0.005


def status() -> dict[str, int]:
    """Memory of this process by kind, in bytes, from /proc."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {kind: int(fields[kind].split()[0]) << 10 for kind in KINDS}


def resident_bytes() -> int:
    """Resident memory of this process."""
    return status()["VmRSS"]


def forget_peak() -> None:
    """Reset VmHWM, if the kernel permits that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("the kernel does not reset VmHWM, so the peak before the pass is included", file=sys.stderr)


class Watcher(threading.Thread):
    """Records the highest figure of each kind of memory."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks = status()
        self.done = threading.Event()

    def run(self) -> None:
        """Measure every few milliseconds until the end is requested."""
        while not self.done.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """Measure once more."""
        self.peaks = {kind: max(value, self.peaks[kind]) for kind, value in status().items()}


async def full_pass(path: str, prefetch_bytes: int) -> int:
    """Take every column of every batch: the number of samples."""
    from ddfast import AsyncReader

    count = 0
    async with AsyncReader(path, prefetch_bytes=prefetch_bytes) as reader:
        async for batch in reader.batches(256):
            for name in batch.columns:
                batch[name]
            count += len(batch)
    return count


def probe(path: str, prefetch_bytes: int) -> dict[str, int]:
    """Peaks above the start, in bytes, in this process."""
    import ddfast

    assert ddfast.AsyncReader
    forget_peak()
    start = status()
    watcher = Watcher()
    watcher.start()
    samples = asyncio.run(full_pass(path, prefetch_bytes))
    watcher.done.set()
    watcher.join()
    watcher.look()
    return {
        "samples": samples,
        **{kind: watcher.peaks[kind] - start[kind] for kind in KINDS},
        "start": start["VmRSS"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("/tmp/ddfast-data"), help="folder of the datasets")
    parser.add_argument(
        "--prefetch-bytes", type=int, default=64 * MIB, help="memory budget (default: 64 MiB)"
    )
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.probe:
        print(json.dumps(probe(args.probe, args.prefetch_bytes)))
        return
    from datasets import DATASETS, ensure

    path = ensure(DATASETS[0], args.data)
    command = [sys.executable, __file__, "--probe", str(path), "--prefetch-bytes", str(args.prefetch_bytes)]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    size, budget = path.stat().st_size / 1e9, args.prefetch_bytes / MIB
    mib = {name: value / MIB for name, value in figures.items()}
    print(f"{figures['samples']:,} samples, {size:.1f} GB, budget {budget:.0f} MiB")
    print(f"interpreter with ddfast imported: {mib['start']:.0f} MiB")
    print(f"peak above it: {mib['VmHWM']:.0f} MiB")
    print(f"  own memory at most {mib['RssAnon']:.0f} MiB, mapped files {mib['RssFile']:.0f} MiB")


if __name__ == "__main__":
    main()
