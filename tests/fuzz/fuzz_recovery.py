"""Damage files of datasets and recover, verify, index and read them.

What is recovered was written; a single flipped bit in an index file costs no sample; a file that is a link or a pipe
neither leads to another file nor stops a command; index files that are cut while they are open are errors. A failure
is printed with the number of its input, which reproduces it, and ends the run with status 1.

Example:
  python tests/fuzz/fuzz_recovery.py --seconds 60
  python tests/fuzz/fuzz_recovery.py --only 123456
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent.parent))

from datasets import some_samples, write
from mutations import ANY, flip_bit, mutated

from ddfast import FileWriter, MsgpackReader
from ddfast.commands import _run, index, info, recover, verify
from ddfast.errors import DdfastError
from ddfast.recovery import LostSamples, Salvage, find_unfinished

SECONDS_EACH = 30
SUFFIXES = (".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3")
PRECIOUS = b"precious"
COMMANDS = [
    (index, "-y"),
    (index, "-y", "--checksums"),
    (verify,),
    (info,),
    (recover, "-y"),
    (recover, "-y", "-o", "saved"),
    (recover, "--discard"),
]
Packed = dict[str, bytes]  # packed samples by key


def datasets() -> list[list[dict[str, object]]]:
    """The samples of the datasets that are damaged."""
    nested = [{"key": f"k{i}", "x": b"\xff" * (i % 7 * 300), "meta": {"key": "inner"}} for i in range(60)]
    return [some_samples(12), some_samples(1), nested, [{"key": str(i)} for i in range(300)]]


def salvaged(path: Path) -> tuple[Packed, list[LostSamples]]:
    """The samples that can be recovered, and what is lost."""
    found, samples = Salvage(path), {}
    for chunk in found.chunks():
        data, at = b"".join(map(bytes, chunk.buffers)), 0
        for key, size in zip(chunk.keys, chunk.sizes.tolist(), strict=True):
            assert key not in samples, f"{key!r} is recovered twice"
            samples[key] = data[at : at + size]
            at += size
    return samples, found.lost


def one_bit(path: Path, expected: Packed, rng: Random) -> None:
    """Flip a bit of one index file."""
    file = Path(
        f"{path}{rng.choice([suffix for suffix in SUFFIXES if Path(f'{path}{suffix}').stat().st_size])}"
    )
    file.write_bytes(flip_bit(file.read_bytes(), rng))
    assert salvaged(path) == (expected, []), f"a flipped bit in {file.name}"


def damage(path: Path, expected: Packed, rng: Random) -> None:
    """Damage some files; the checksums stay intact, so nothing wrong is recovered."""
    names = ["", *SUFFIXES]
    files = {name: Path(f"{path}{name}").read_bytes() for name in names if Path(f"{path}{name}").exists()}
    for name, content in mutated(files, rng).items():
        Path(f"{path}{name}").write_bytes(content)
    found, _ = salvaged(path)
    assert found.items() <= expected.items(), "a sample that was not written"


def odd_files(path: Path, expected: Packed, rng: Random) -> None:
    """Put links, pipes and folders in the place of files, and run a command."""
    hidden = [".x.journal", ".x.draft", *(f".x.draft{suffix}" for suffix in SUFFIXES)]
    victim = path.parent.parent / "victim"
    victim.write_bytes(PRECIOUS)
    for name in rng.sample(["x", *(f"x{suffix}" for suffix in SUFFIXES), *hidden], rng.choice([1, 1, 2, 4])):
        file = path.with_name(name)
        file.unlink(missing_ok=True)
        rng.choice([lambda at: at.symlink_to(victim), os.mkfifo, Path.mkdir, lambda at: at.symlink_to(path)])(
            file
        )
    module, *options = rng.choice(COMMANDS)
    options = [str(path.with_name("saved")) if each == "saved" else each for each in options]
    assert _run.run(module, "ddfast", [str(path), *options]) in (0, 1, 2)
    with contextlib.suppress(DdfastError, OSError), MsgpackReader(path, verify="sample") as reader:
        reader.get(0)
        reader.find_index("1")
    assert victim.read_bytes() == PRECIOUS, "a file of the user was changed"


def cut_while_open(path: Path, expected: Packed, rng: Random) -> None:
    """Cut index files of an open reader: a signal would end the process."""
    with MsgpackReader(path, verify="sample") as reader:
        for suffix in rng.sample(SUFFIXES, 3):
            file = Path(f"{path}{suffix}")
            os.truncate(file, rng.randrange(file.stat().st_size + 1))
        for work in (
            lambda: reader.find_index("1"),
            lambda: reader.find_key(0),
            lambda: list(reader.batches(4)),
        ):
            with contextlib.suppress(DdfastError):
                work()


def unfinished(path: Path, expected: Packed, rng: Random) -> None:
    """Damage the draft or the journal that a writer left; the samples before the damage are found."""
    with (
        contextlib.suppress(ZeroDivisionError),
        FileWriter(path, overwrite=True, resume=True, disable=True) as writer,
    ):
        for sample in some_samples(20):
            writer.write(sample)
        raise ZeroDivisionError
    intact: Packed = {}
    for chunk in find_unfinished(path).chunks():  # type: ignore[union-attr]
        intact.update(zip(chunk.keys, [0] * len(chunk.keys), strict=True))  # type: ignore[arg-type]
    file = path.with_name(rng.choice([".x.journal", ".x.draft"]))
    file.write_bytes(rng.choice(ANY)(file.read_bytes(), rng))
    found = find_unfinished(path)
    keys = [key for chunk in found.chunks() for key in chunk.keys] if found is not None else []
    assert keys == list(intact)[: len(keys)], "not the samples that were written"
    assert _run.run(recover, "ddfast", [str(path), "-y"]) in (0, 1)


KINDS: list[Callable[[Path, Packed, Random], None]] = [one_bit, damage, odd_files, cut_while_open, unfinished]


def on_alarm(*_: object) -> None:
    """End an input that takes too long."""
    raise TimeoutError


def run_one(number: int, intact: list[tuple[Path, Packed]], folder: Path) -> None:
    """Create input `number` and check it."""
    rng = Random(number)
    source, expected = rng.choice(intact)
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for suffix in ("", *SUFFIXES):
        shutil.copy(f"{source}{suffix}", place / f"x{suffix}")
    signal.alarm(SECONDS_EACH)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            rng.choice(KINDS)(place / "x", expected, rng)
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
        folder, intact = Path(name), []
        for number, samples in enumerate(datasets()):
            path = write(folder / str(number), samples, "ddfast")
            intact.append((path, salvaged(path)[0]))
        return fuzz(args, intact, folder)


def fuzz(args: argparse.Namespace, intact: list[tuple[Path, Packed]], folder: Path) -> int:
    """Run the selected inputs. Returns the exit status."""
    end, count = time.monotonic() + args.seconds, 0
    for number in [args.only] if args.only is not None else iter(range(args.first, 1 << 62)):
        if time.monotonic() > end:
            break
        try:
            run_one(number, intact, folder)
        except BaseException:
            print(f"input {number}: failure", flush=True)
            traceback.print_exc()
            return 1
        count += 1
    print(f"{count:,} damaged datasets recovered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
