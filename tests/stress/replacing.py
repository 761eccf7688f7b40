"""Opens a dataset that is replaced without a pause, in the order of a writer but without waiting for the disk.

Every opening has to give one of the datasets, whole; an error is a fault.

Example:
  python tests/stress/replacing.py --seconds 60
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from ddfast import FileWriter, MsgpackReader
from ddfast.format.files import SUFFIX_LEGACY_INDEX, SUFFIX_OFFSETS, SUFFIXES

GENERATIONS = 5
OTHERS = [suffix for suffix in SUFFIXES if suffix not in (SUFFIX_OFFSETS, SUFFIX_LEGACY_INDEX)]


def write_generations(folder: Path) -> list[Path]:
    """Datasets of different lengths; the first two have the same size."""
    paths = [folder / str(generation) for generation in range(GENERATIONS)]
    for generation, path in enumerate(paths):
        with FileWriter(path, disable=True) as writer:
            for i in range(max(1, generation) * 3):
                writer.write({"key": f"{generation}/{i}", "generation": generation})
    return paths


def replace(source: Path, path: Path) -> None:
    """Replace a dataset by copies of the files of another one."""
    for suffix in (*OTHERS, "", SUFFIX_OFFSETS):
        shutil.copyfile(f"{source}{suffix}", f"{path}.draft{suffix}")
    Path(f"{path}{SUFFIX_OFFSETS}").unlink(missing_ok=True)
    for suffix in (*OTHERS, "", SUFFIX_OFFSETS):
        Path(f"{path}.draft{suffix}").replace(f"{path}{suffix}")


def replace_until(sources: list[Path], path: Path, end: float) -> None:
    """Replace a dataset until `end`, a time of the monotonic clock."""
    count = 0
    while time.monotonic() < end:
        replace(sources[count % len(sources)], path)
        count += 1
    print(f"{count:,} replacements")


def open_once(path: Path) -> None:
    """Open the dataset and compare everything with what one generation has."""
    with MsgpackReader(path, verify="sample") as reader:
        samples = list(reader)
        generation = samples[0]["generation"]
        keys = [f"{generation}/{i}" for i in range(max(1, generation) * 3)]
        assert [sample["key"] for sample in samples] == keys, (generation, samples)
        assert [reader.find_key(i) for i in range(len(keys))] == keys
        assert [reader.find_index(key) for key in keys] == [*range(len(keys))]


def main() -> int:
    """Run the test. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        sources, path = write_generations(Path(name)), Path(name) / "set"
        replace(sources[0], path)
        end = time.monotonic() + seconds
        writer = multiprocessing.get_context("spawn").Process(target=replace_until, args=(sources, path, end))
        writer.start()
        opened, faults = 0, 0
        while writer.is_alive():
            try:
                open_once(path)
            except (OSError, ValueError, KeyError, AssertionError) as error:
                faults += 1
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
            opened += 1
        writer.join()
    print(f"{opened:,} openings, {faults} faults, on {os.uname().sysname}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
