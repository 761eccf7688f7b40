"""Kill writers, and make their writes fail, at any point; then check the files, and continue.

    python tests/crash/harness.py --kills 1000

Each trial writes a dataset in a child process: a new one, one that replaces another (by a blocking or an asynchronous
writer), one that appends to another, or one that continues after a killed writer; by a writer that flushes, by a
program that changes its working folder, or by a writer that is never closed. The child is killed at a random time, or
before its n-th system call on the dataset's files, or its n-th write fails or writes only half. Afterwards,

- the name has the complete old or the complete new dataset;
- all samples that are complete in the draft can be restored, and all that were flushed;
- a writer that was never closed has kept all samples;
- files that replace private ones are private, finished or not;
- a file that symbolic links in the place of unfinished index files lead to is unchanged;
- a writer with ``resume=True`` writes the same bytes as one that was not stopped, and no other file remains.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import ctypes
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FAULTS = ["none", "kill", "full", "broken", "short"]
MODES = ["new", "replace", "async", "append", "resume", "flush", "chdir", "unclosed"]
REPLACING = ("replace", "async", "append", "chdir", "unclosed")
PRIVATE = 0o600  # mode of the datasets that are replaced
PER_FLUSH = 15
LINKS = (".offsets", ".keys", ".md5", ".xxh3")
SUFFIXES = ["", ".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3"]
OLD, NEW = 40, 120


def some_samples(first: int, count: int) -> list[dict[str, object]]:
    draw = random.Random(first)
    return [
        {"key": f"{i:05}", "x": draw.randbytes(draw.randrange(12_000))} for i in range(first, first + count)
    ]


def old_samples() -> list[dict[str, object]]:
    return some_samples(10_000, OLD)


def new_samples(mode: str) -> list[dict[str, object]]:
    return [*(old_samples() if mode == "append" else []), *some_samples(0, NEW)]


def shrink() -> None:
    """Use small chunks and buffers, so that a small dataset has many chunks and direct writes."""
    from ddfast.writer import data_file, samples

    samples.CHUNK_BYTES, data_file.DIRECT_FROM, data_file.BUFFER_BYTES = 1 << 16, 1 << 18, 1 << 17


def write(path: Path, mode: str, resume: bool = False, until: int = NEW) -> None:
    """Write the samples of a trial; raises what the writer raises."""
    from ddfast import FileWriter

    if mode == "async":
        asyncio.run(write_async(path, resume, until))
        return
    if mode in ("flush", "chdir", "unclosed") and not resume:
        {"flush": write_flushing, "chdir": write_elsewhere, "unclosed": write_unclosed}[mode](path)
        return
    resume = resume or mode == "resume"
    with FileWriter(path, overwrite=True, append=mode == "append", resume=resume, disable=True) as writer:
        for sample in some_samples(0, until):
            if sample["key"] not in writer:
                writer.write(sample)


def write_flushing(path: Path) -> None:
    """Flush now and then, and note each time in a file that there was one more flush."""
    from ddfast import FileWriter

    with FileWriter(path, disable=True) as writer, flushes(path).open("ab", 0) as notes:
        for i, sample in enumerate(some_samples(0, NEW)):
            writer.write(sample)
            if i % PER_FLUSH == PER_FLUSH - 1:
                writer.flush()
                notes.write(b"x")


def flushes(path: Path) -> Path:
    """A file with one byte for each flush."""
    return path.parent.with_name(f"flushes-of-{path.parent.name}")


def write_elsewhere(path: Path) -> None:
    """Write to a relative path, and change the working folder meanwhile."""
    from ddfast import FileWriter

    os.chdir(path.parent)
    with FileWriter(path.name, overwrite=True, disable=True) as writer:
        for i, sample in enumerate(some_samples(0, NEW)):
            if i % 40 == 20:
                os.chdir(Path.cwd().parent)
            writer.write(sample)


def write_unclosed(path: Path) -> None:
    """Forget to close the writer."""
    from ddfast import FileWriter

    sys.stderr = io.StringIO()
    writer = FileWriter(path, overwrite=True, disable=True)
    for sample in some_samples(0, NEW):
        writer.write(sample)


async def write_async(path: Path, resume: bool, until: int) -> None:
    """The same with an asynchronous writer."""
    from ddfast import AsyncFileWriter

    async with AsyncFileWriter(path, overwrite=True, resume=resume, disable=True) as writer:
        for sample in some_samples(0, until):
            if sample["key"] not in writer:
                await writer.write(sample)


# -- the zygote: a process with faults.c preloaded, which forks for each trial


def zygote() -> None:
    faults = ctypes.CDLL(None)
    faults.ddf_calls.restype = ctypes.c_long
    import ddfast.commands.verify
    import ddfast.writer.aio  # noqa: F401  # everything that a writer needs

    shrink()
    for line in sys.stdin:
        trial = json.loads(line)
        print(json.dumps(run_trial(faults, trial)), flush=True)


def run_trial(faults: ctypes.CDLL, trial: dict[str, object]) -> list[int]:
    """Exit status and number of calls of a child; the status is 3 if the writer raised OSError."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            path = Path(str(trial["path"]))
            at = ctypes.c_long(int(str(trial["at"])))
            faults.ddf_arm(str(path.parent).encode(), FAULTS.index(str(trial["fault"])), at)
            write(path, str(trial["mode"]))
            status = 0
        except OSError:
            status = 3
        finally:
            os.write(into, str(faults.ddf_calls()).encode())
            os._exit(status)
    os.close(into)
    if trial.get("delay") is not None:
        time.sleep(float(str(trial["delay"])))
        os.kill(child, signal.SIGKILL)
    calls = os.read(out, 100)
    os.close(out)
    return [os.waitpid(child, 0)[1], int(calls or b"0")]


class Zygote:
    """Runs trials."""

    def __init__(self, folder: Path) -> None:
        library = folder / "faults.so"
        source = Path(__file__).with_name("faults.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        import ddfast

        env = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "PYTHONPATH": str(Path(ddfast.__file__).parent.parent),
        }
        command = [sys.executable, __file__, "--zygote"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
        )

    def run(
        self, path: Path, mode: str, fault: str, at: int = 0, delay: float | None = None
    ) -> tuple[int, int]:
        trial = {"path": str(path), "mode": mode, "fault": fault, "at": at, "delay": delay}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(trial) + "\n")
        self._process.stdin.flush()
        status, calls = json.loads(self._process.stdout.readline())
        return status, calls

    def close(self) -> None:
        self._process.communicate(timeout=60)


# -- trials


class Harness:
    """Trials, and the checks after each of them.

    Parameters:
        folder: for all files.
    """

    def __init__(self, folder: Path) -> None:
        from ddfast import FileWriter

        self.folder = folder
        self.figures: collections.Counter[str] = collections.Counter()
        shrink()
        self._zygote = Zygote(folder)
        self._victim = folder / "victim"
        self._victim.write_text("precious")
        self._old = folder / "old" / "x"
        with FileWriter(self._old, disable=True) as writer:
            for sample in old_samples():
                writer.write(sample)
        self.wanted = {mode: self._expected(mode) for mode in MODES}
        self.old = contents(self._old)
        self._count = 0

    def close(self) -> None:
        self._zygote.close()

    def calls(self, mode: str, fault: str = "none") -> int:
        """Number of calls of a writer (fault "none"), or of calls that write."""
        path = self.prepare(mode)
        status, calls = self._zygote.run(path, mode, fault, at=1 << 40)
        assert status == 0, status
        assert contents(path) == (self.old if mode == "unclosed" else self.wanted[mode])
        return calls

    def trial(self, mode: str, fault: str, at: int = 0, delay: float | None = None) -> None:
        """One fault, and all checks."""
        from ddfast.recovery import find_unfinished

        path = self.prepare(mode)
        status, _ = self._zygote.run(path, mode, fault, at, delay)
        name = f"{mode}, {'SIGKILL at a random time' if delay is not None else fault}"
        assert status in (0, signal.SIGKILL, 3 << 8), (name, at, status)
        assert fault in ("full", "broken") or status != 3 << 8, (name, at)
        self.figures[name] += 1
        if mode == "unclosed" and status == 0 and fault not in ("full", "broken"):
            left = find_unfinished(path)
            assert left is not None, (name, at)
            assert sum(len(chunk.keys) for chunk in left.chunks()) == NEW, (name, at)
        self.check(path, mode, f"{name} {at} {delay}")
        shutil.rmtree(path.parent)

    def check(self, path: Path, mode: str, trial: str) -> None:
        """The checks after any fault."""
        from ddfast import MsgpackReader
        from ddfast.recovery import find_unfinished

        old = self.old if mode in REPLACING else dict.fromkeys(SUFFIXES)
        wanted = self.wanted[mode]
        try:
            MsgpackReader(path).close()  # renames the files of a complete dataset
        except FileNotFoundError:
            assert old[""] is None, trial
        found = contents(path)
        assert found in (old, wanted), (trial, sorted(path.parent.iterdir()))
        left = find_unfinished(path)
        flushed = 0
        if flushes(path).exists() and found != wanted:
            flushed = flushes(path).stat().st_size * PER_FLUSH
        if left is not None:
            self._check_draft(left, wanted, trial, flushed)
        assert left is not None or not flushed, trial
        self._check_access(path, mode, trial)
        write(path, mode, resume=True)
        self._check_access(path, mode, trial)
        # If the new dataset had its name already, it is replaced.
        assert contents(path) == wanted, trial
        names = sorted(file.name for file in path.parent.iterdir())
        assert names == sorted(f"x{suffix}" for suffix in SUFFIXES), (trial, names)

    def _check_access(self, path: Path, mode: str, trial: str) -> None:
        """Private files stay private, and no link was followed."""
        for file in path.parent.iterdir():
            if mode in REPLACING and not file.is_symlink():
                assert file.stat().st_mode & 0o777 == PRIVATE, (trial, file)
        assert self._victim.read_text() == "precious", trial

    def _check_draft(self, left: object, wanted: dict[str, bytes | None], trial: str, flushed: int) -> None:
        import numpy as np

        draft = left.draft.read_bytes() if left.draft.exists() else b""  # type: ignore[attr-defined]
        data = wanted[""] or b""
        ends = np.frombuffer(wanted[".offsets"] or b"", ">u8")[1:]
        same = next(
            (i for i, (a, b) in enumerate(zip(draft, data, strict=False)) if a != b),
            min(len(draft), len(data)),
        )
        whole = int((ends <= same).sum())
        restored = sum(len(chunk.keys) for chunk in left.chunks()) if draft else 0  # type: ignore[attr-defined]
        assert restored >= max(whole, flushed), (trial, restored, whole, flushed)
        self.figures["samples whole in drafts"] += whole
        self.figures["of those restored"] += min(restored, whole)

    def prepare(self, mode: str) -> Path:
        """A folder with the files that a trial of this mode starts with."""
        self._count += 1
        path = self.folder / f"trial{self._count}" / "x"
        path.parent.mkdir()
        if mode in REPLACING:
            for suffix in SUFFIXES:
                shutil.copyfile(f"{self._old}{suffix}", f"{path}{suffix}")
                Path(f"{path}{suffix}").chmod(PRIVATE)
        if mode == "resume":
            status, _ = self._zygote.run(path, "new", "kill", at=20)
            assert status == signal.SIGKILL
        for suffix in LINKS:
            path.with_name(f".x.draft{suffix}").unlink(missing_ok=True)
            path.with_name(f".x.draft{suffix}").symlink_to(self._victim)
        return path

    def _expected(self, mode: str) -> dict[str, bytes | None]:
        from ddfast import FileWriter

        path = self.folder / mode / "x"
        with FileWriter(path, disable=True) as writer:
            for sample in new_samples(mode):
                writer.write(sample)
        return contents(path)


def contents(path: Path) -> dict[str, bytes | None]:
    """The files of a dataset, by suffix; None for a missing one."""
    files = {suffix: Path(f"{path}{suffix}") for suffix in SUFFIXES}
    return {suffix: file.read_bytes() if file.exists() else None for suffix, file in files.items()}


def campaign(harness: Harness, kills: int, seed: int) -> None:
    """Run trials: a third of them with a fault at a random time, the others at a call."""
    draw = random.Random(seed)
    calls = {mode: harness.calls(mode) for mode in MODES}
    writes = {mode: harness.calls(mode, "short") for mode in MODES}
    seconds = 0.3
    for trial in range(kills):
        mode = MODES[trial % len(MODES)]
        kind = draw.choice(["time", "kill", "kill", "full", "broken", "short"])
        if kind == "time":
            harness.trial(mode, "none", delay=draw.random() * seconds)
        elif kind == "kill":
            harness.trial(mode, "kill", at=draw.randint(1, calls[mode]))
        else:
            harness.trial(mode, kind, at=draw.randint(1, writes[mode]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zygote", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.zygote:
        zygote()
        return
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder))
        try:
            campaign(harness, args.kills, args.seed)
        finally:
            harness.close()
    for name, count in sorted(harness.figures.items()):
        print(f"{count:8,}  {name}")


if __name__ == "__main__":
    main()
