"""Replace a dataset by copying and moving others to its name, and remove it, while other processes open and read it.

Every reader finds all samples of one of the datasets, or no dataset. A failure is printed and ends the run with
status 1.

Example:
  python tests/stress/relocation.py --seconds 60
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from ddfast import FileWriter, MsgpackReader
from ddfast.errors import DatasetNotFoundError, DdfastError
from ddfast.writer import copy_dataset, move_dataset, remove_dataset

READERS = 2
SAMPLES = {"a": 50, "bb": 70}


def write(path: Path, tag: str) -> None:
    """Write a dataset whose samples all have its tag; the sizes of samples differ."""
    with FileWriter(path, disable=True) as writer:
        for i in range(SAMPLES[tag]):
            writer.write({"key": f"{tag}{i}", "tag": tag, "data": bytes(37 * len(tag) + i)})


def look(path: Path) -> str:
    """Read a dataset and return what was found: a tag, ``none``, or a failure."""
    try:
        with MsgpackReader(path, verify="sample") as reader:
            samples = [(sample["key"], sample["tag"]) for sample in reader]
            tag = samples[0][1]
            wanted = [f"{tag}{i}" for i in range(SAMPLES[tag])]
            mixed = samples != [(key, tag) for key in wanted] or list(reader.keys()) != wanted
            return (
                f"mixed: {samples[:3]}" if mixed or reader.find_index(wanted[-1]) != len(wanted) - 1 else tag
            )
    except DatasetNotFoundError:
        return "none"
    except DdfastError as error:
        return f"{type(error).__name__}: {error}"


def read(path: Path, stop: Event, results: Any) -> None:
    """Read until `stop`, then send how often each result was found."""
    found: Counter[str] = Counter()
    while not stop.is_set():
        found[look(path)] += 1
    results.put(found)


@contextmanager
def readers(path: Path, found: Counter[str]) -> Iterator[None]:
    """Processes that read meanwhile; their results are added to `found`."""
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    processes = [multiprocessing.Process(target=read, args=(path, stop, results)) for _ in range(READERS)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for _ in processes:
            found.update(results.get(timeout=60))
        for process in processes:
            process.join()


def main() -> int:
    """Run for some seconds. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw, replaced, found = random.Random(args.seed), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for tag in SAMPLES:
            write(folder / tag, tag)
        with readers(folder / "target", found):
            end = time.monotonic() + args.seconds
            while time.monotonic() < end:
                source = folder / draw.choice(list(SAMPLES))
                if draw.random() < 0.5:
                    copy_dataset(source, folder / "moved")
                    move_dataset(folder / "moved", folder / "target", overwrite=True)
                else:
                    copy_dataset(source, folder / "target", overwrite=True)
                replaced += 1
                if replaced % 10 == 0:
                    remove_dataset(folder / "target")
    failures = {what: count for what, count in found.items() if what not in ("none", *SAMPLES)}
    print(
        f"replaced {replaced:,} times, opened {found.total():,} times, {found['none']:,} times without a dataset"
    )
    print("\n".join(f"{count:,} times {what}" for what, count in failures.items()) or "0 failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
