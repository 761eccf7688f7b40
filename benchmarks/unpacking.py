"""Compare batches of columns with msgpack's own C unpacker, both on a single core.

The unpacker receives a whole dataset of float32[16] samples from memory and returns dicts, whose arrays are still
packed. ddfast reads the same file from a warm page cache, as numpy columns. Both sides take turns. Prints medians.

Example:
  python benchmarks/unpacking.py --data /tmp/ddfast-data
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

import msgpack
from datasets import DATASETS, add_data_argument, ensure
from measure import Stopwatch, interleaved, machine, machine_line, ratios, warm

from ddfast import MsgpackReader

STEP = 4096  # samples between two looks at the clock


def unpack(data: bytes, seconds: float) -> float:
    """Samples a second of msgpack's unpacker."""
    watch = Stopwatch(seconds)
    while True:
        unpacker = msgpack.Unpacker(max_buffer_size=len(data), strict_map_key=False)
        unpacker.feed(data)
        for number, _ in enumerate(unpacker, 1):
            if number % STEP == 0 and not watch.more(STEP):
                return watch.rate()


def columns(reader: MsgpackReader, size: int, seconds: float) -> float:
    """Samples per second of batches, with all columns built."""
    watch = Stopwatch(seconds)
    while True:
        for batch in reader.batches(size):
            batch.to_dict()
            if not watch.more(len(batch)):
                return watch.rate()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="duration of each measurement (default: 1)"
    )
    parser.add_argument("--repeats", type=int, default=9, help="number of turns (default: 9)")
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    path: Path = ensure(DATASETS[-1], args.data)
    warm(path)
    data = path.read_bytes()
    with MsgpackReader(path) as reader:
        sizes = {f"`batches({size:,})`": partial(columns, reader, size, args.seconds) for size in (256, 4096)}
        rates = interleaved({"msgpack": lambda: unpack(data, args.seconds), **sizes}, args.repeats, path.name)
    print("| read by | million samples/s | times msgpack's unpacker |\n|---|--:|--:|")
    for name, found in rates.items():
        middle = sorted(found)[len(found) // 2] / 1e6
        print(f"| {name} | {middle:.2f} | {ratios(found, rates['msgpack']):.2f} |")
    print(f"\n{machine_line(machine())}; one core used, medians of {args.repeats} turns (lowest to highest)")


if __name__ == "__main__":
    main()
