"""Damage datasets at random and read them in every way.

Any damage gives samples or an error of ddfast, in bounded time and memory. If the offsets are intact, exactly those
samples can be read that msgpack (with msgpack-numpy) can read. A failure is printed with the number of its input, which
reproduces it, and ends the run with status 1.

Example:
  python tests/fuzz/fuzz_reader.py --seconds 60
  python tests/fuzz/fuzz_reader.py --only 123456
"""

from __future__ import annotations

import argparse
import faulthandler
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from compare import assert_same
from datasets import SUFFIXES, some_samples, write
from decoding import outcome, reference
from mutations import Files, mutated

from ddfast import MsgpackReader
from ddfast._native.decode import MAX_RARE_KEYS
from ddfast.errors import DdfastError

SECONDS_EACH = 20
MOST_MEMORY = 4 << 30  # address space, more than at the start
MOST_GROWTH = 300 << 20  # of resident memory, over the whole run


def originals(folder: Path) -> list[Files]:
    """The intact datasets that are damaged."""
    shapes = [
        some_samples(12),
        some_samples(1),
        [],
        [{"key": f"{i}", "vec": np.arange(16, dtype="<f4") + i, "label": i} for i in range(40)],
        [{"key": f"{i}", "image": bytes([i]) * 3000, "text": "ß" * i} for i in range(30)],
        [nested_sample(i) for i in range(20)],
    ]
    result = []
    for number, samples in enumerate(shapes):
        path = write(folder / f"{number}.msgpack", samples, "ddfast")
        names = ["", *SUFFIXES]
        result.append({name: Path(f"{path}{name}").read_bytes() for name in names})
    return result


def nested_sample(i: int) -> dict[str, Any]:
    """A sample of values that grow when they become Arrow arrays, and of arrays without elements."""
    return {
        "key": f"{i}",
        "masks": np.zeros((0, 1080, 1920), bool),
        "rows": np.zeros((100 * i, 0), "f4"),
        "nested": [{f"{i}": [j, {"deep": 1j}]} for j in range(i)],
        "map": {complex(i, j): None for j in range(i)},
    }


class HangError(Exception):
    """An input took too long."""


def on_alarm(*_: Any) -> None:
    raise HangError


def attempt(work: Any) -> tuple[bool, Any]:
    """Whether a call succeeded, and its result; it may only raise errors of ddfast."""
    try:
        return True, work()
    except DdfastError as error:
        str(error)
        return False, None


def read_all_ways(path: Path, rng: Random) -> list[tuple[bool, Any]] | None:
    """Use every method of a reader. Returns the outcome of each `get`, or None if the dataset cannot be opened."""
    opened, reader = attempt(lambda: MsgpackReader(path))
    if not opened:
        return None
    with reader:
        n = len(reader)
        gets = [attempt(lambda i=i: reader.get(i)) for i in range(min(n, 100))]
        attempt(lambda: list(reader))
        attempt(lambda: list(reader.rawiter()))
        attempt(lambda: [reader.find_key(i) for i in range(min(n, 50))])
        attempt(lambda: [key in reader for key in ("1", "sample 1 ß", "no")])
        attempt(lambda: list(reader.slice(0, n, yield_key=True)))
        batches = reader.batches(rng.choice([1, 4, 64]), shuffle=rng.choice([False, True, "block"]))
        for _ in range(len(batches)):
            read, batch = attempt(lambda: next(batches))
            if read:
                use_batch(batch, gets)
        attempt(lambda: reader.get_many(list(range(n))[::-1]))
    attempt(lambda: skip_in_batches(path, rng.choice([1, 16, 500])))
    return gets


def skip_in_batches(path: Path, size: int) -> None:
    """No batch holds more bytes of different samples than the data file has."""
    with MsgpackReader(path, on_error="skip", prefetch_bytes=1 << 20) as reader:
        for batch in reader.batches(size, raw=True, shuffle=True):
            held = sum(map(len, batch))
            assert held <= path.stat().st_size, f"a batch of {len(batch)} samples holds {held:,} bytes"


def use_batch(batch: Any, gets: list[tuple[bool, Any]]) -> None:
    """Decode a batch in every way, and compare its samples with those of `get`."""
    for position, index in enumerate(batch.indices.tolist()):
        if index < len(gets):
            decoded, sample = attempt(lambda p=position: batch[p])
            assert decoded == gets[index][0], f"sample {index}: get and batch do not agree"
            if decoded:
                assert_same(sample, gets[index][1])
    made, columns = attempt(batch.to_dict)
    for column in columns.values() if made else ():
        attempt(lambda c=column: list(c))
    attempt(lambda: repr(batch))
    for views in (False, True):
        attempt(lambda v=views: to_arrow(batch, v))


def to_arrow(batch: Any, views: bool) -> None:
    """Convert a batch to Arrow, which may refuse a column by its name."""
    try:
        batch.to_arrow(views=views).validate(full=True)
    except TypeError as error:
        if not re.match(r"column .* has no Arrow form", str(error), re.DOTALL):
            raise


def compare_with_msgpack(files: Files, intact: Files, gets: list[tuple[bool, Any]]) -> None:
    """Compare each sample with the plain decoder, if the offsets and the size of the data file are intact."""
    if files.get(".offsets") != intact[".offsets"] or len(files[""]) != len(intact[""]):
        return
    table = intact[".offsets"]
    ends = [int.from_bytes(table[i : i + 8], "big") for i in range(0, len(table), 8)]
    for index, (ours, value) in enumerate(gets):
        packed = files[""][ends[index] : ends[index + 1]]
        theirs, expected = outcome(reference, packed)
        if theirs and not ours and (b"nd" in packed or packed.count(b"complex") > MAX_RARE_KEYS):
            continue  # numpy accepts some invalid arrays, and msgpack any number of keys with equal hashes
        assert ours == theirs, f"sample {index}: readable for {'us' if ours else 'msgpack'} only"
        if ours:
            assert_same(value, expected)


def run_one(number: int, intact: list[Files], folder: Path) -> None:
    """Create input `number` and read it."""
    rng = Random(number)
    original = rng.choice(intact)
    files = mutated(original, rng)
    path = folder / "x.msgpack"
    for suffix in ["", *SUFFIXES]:
        target = Path(f"{path}{suffix}")
        target.unlink(missing_ok=True)
        if suffix in files:
            target.write_bytes(files[suffix])
    signal.alarm(SECONDS_EACH)
    try:
        gets = read_all_ways(path, rng)
        if gets is not None:
            compare_with_msgpack(files, original, gets)
    finally:
        signal.alarm(0)


def main() -> int:
    """Run inputs until the time has passed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the run (default: 60)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input (default: 0)")
    parser.add_argument("--only", type=int, help="run this input alone")
    args = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, on_alarm)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        intact = originals(folder)
        return fuzz(args, intact, folder)


def fuzz(args: argparse.Namespace, intact: list[Files], folder: Path) -> int:
    """Run the selected inputs. Returns the exit status."""
    numbers = iter([args.only]) if args.only is not None else iter(range(args.first, 1 << 62))
    end, count, start_memory = time.monotonic() + args.seconds, 0, 0
    for number in numbers:
        if time.monotonic() > end:
            break
        try:
            run_one(number, intact, folder)
        except BaseException:
            print(f"input {number}: failure", flush=True)
            traceback.print_exc()
            return 1
        count += 1
        if count == 200:  # everything that is created once exists
            start_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, resource.RLIM_INFINITY))
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start_memory) << 10
    print(f"{count:,} damaged datasets read, {growth >> 20} MiB more memory than after the first 200")
    return int(start_memory > 0 and growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
