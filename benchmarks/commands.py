"""Compare the commands that copy samples with those of datadings: whole processes, from start to exit.

Both sides read the dataset of 2.8 kB samples from a warm page cache and write new files, which are removed
between the runs. Both sides take turns. ddfast waits until its files are safe on the disk, datadings does not.

Example:
  python benchmarks/commands.py --data /tmp/ddfast-data --memory
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets import DATASETS, add_data_argument, ensure
from measure import Spread, interleaved, machine, machine_line, ratios, warm

Argv = list[str]
SMALL = DATASETS[1]
LARGE = DATASETS[0]


@dataclass(frozen=True, slots=True)
class Command:
    """One command of both sides.

    Parameters:
        name: short name.
        title: name in tables.
        target: required ratio to datadings.
        ddfast: arguments of Python that run it, given the dataset, its halves, and a folder for the result.
        datadings: the same for datadings.
    """

    name: str
    title: str
    target: float
    ddfast: Callable[[Path, list[Path], Path], Argv]
    datadings: Callable[[Path, list[Path], Path], Argv]


def ours(name: str, *arguments: object) -> Argv:
    return ["-m", f"ddfast.commands.{name}", *map(str, arguments)]


def theirs(name: str, *arguments: object) -> Argv:
    return ["-m", f"datadings.commands.{name}", *map(str, arguments)]


def their_merge(halves: list[Path], out: Path) -> Argv:
    """Code that calls the function of datadings-merge 3.4.7, because the command fails at once."""
    call = f"merge_random({[str(half) for half in halves]!r}, {str(out)!r})"
    return ["-c", f"from datadings.commands.merge import merge_random; {call}"]


COMMANDS = (
    Command(
        "command-shuffle",
        "ddfast-shuffle",
        2,
        lambda path, halves, out: ours("shuffle", path, out / "x.msgpack"),
        # The defaults of 3.4.7 fail: these are those that are documented.
        lambda path, halves, out: theirs(
            "shuffle", "--buf-size", 0.01, "--chunk-size", 16, path, out / "x.msgpack"
        ),
    ),
    Command(
        "command-true-shuffle",
        "ddfast-shuffle --true-shuffle",
        2,
        lambda path, halves, out: ours("shuffle", "--true-shuffle", path, out / "x.msgpack"),
        lambda path, halves, out: theirs("shuffle", "--true-shuffle", path, out / "x.msgpack"),
    ),
    Command(
        "command-merge",
        "ddfast-merge",
        2,
        lambda path, halves, out: ours("merge", *halves, out / "x.msgpack"),
        lambda path, halves, out: their_merge(halves, out / "x.msgpack"),
    ),
    Command(
        "command-split",
        "ddfast-split",
        2,
        lambda path, halves, out: ours("split", path, SMALL.n // 2, "-o", out / "a", out / "b"),
        lambda path, halves, out: theirs("split", path, SMALL.n // 2, "-o", out / "a", out / "b"),
    ),
)


def halves_of(path: Path, n: int) -> list[Path]:
    """The halves of a dataset, which are merged; written once and kept."""
    halves = [path.with_name(f"{path.stem}-half{i}{path.suffix}") for i in range(2)]
    if not all(half.exists() for half in halves):
        argv = ours("split", "-y", path, n // 2, "-o", *halves)
        subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)
    return halves


def run_once(argv: Argv) -> float:
    """Seconds that a process takes."""
    started = time.perf_counter()
    # datadings-split 3.4.7 fails after its work is done, so exit codes are not checked.
    subprocess.run([sys.executable, *argv], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def command_rates(command: Command, path: Path, repeats: int) -> dict[str, list[float]]:
    """Samples a second of both sides in a command on the dataset of 2.8 kB."""
    halves = halves_of(path, SMALL.n)
    for each in (path, *halves):
        warm(each)

    def side(argv_of: Callable[[Path, list[Path], Path], Argv]) -> float:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            os.sync()  # what the other side has left to write
            return SMALL.n / run_once(argv_of(path, halves, Path(folder)))

    sides = {"datadings": lambda: side(command.datadings), "ddfast": lambda: side(command.ddfast)}
    return interleaved(sides, repeats, f"{SMALL.title}: {command.title}")


# Runs a command in this process and prints the peak of its private memory, in bytes. RSS also includes
# pages of mapped files, which belong to the page cache and are released when memory is needed.
PROBE = """
import sys, threading
from pathlib import Path

def own():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)
    return int(line.split()[1]) << 10

def watch():
    global peak
    while not done.wait(0.005):
        peak = max(peak, own())

peak, done = 0, threading.Event()
thread = threading.Thread(target=watch)
thread.start()
from ddfast.commands.__main__ import main
code = main(sys.argv[1:])
done.set()
thread.join()
print(code, peak)
"""


def peak_memory(*argv: object) -> int:
    """Peak of the private memory of `ddfast` with these arguments, in bytes."""
    command = [sys.executable, "-c", PROBE, *map(str, argv)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    code, peak = output.stdout.split()[-2:]
    assert code == "0"
    return int(peak)


def memory_table(data: Path) -> str:
    """Peak memory of every command on the dataset of 105 kB samples, as a Markdown table."""
    path = ensure(LARGE, data)
    halves = halves_of(path, LARGE.n)
    with tempfile.TemporaryDirectory(dir=data) as folder:
        out = Path(folder) / "x.msgpack"
        commands = {
            "shuffle": [path, out],
            "shuffle --true-shuffle": [path, out],
            "merge": [*halves, out],
            "split": [path, LARGE.n // 2, "-o", out, Path(folder) / "y.msgpack"],
            "sample": [path, out, LARGE.n // 2],
        }
        peaks = {name: peak_memory(*name.split(), "-y", *argv) for name, argv in commands.items()}
    rows = [f"| ddfast {name} | {peak / (1 << 20):.0f} MiB |" for name, peak in peaks.items()]
    title = f"{path.stat().st_size / 1e9:.1f} GB of {LARGE.title} samples"
    return "\n".join([f"| {title} | peak of own memory |", "|---|--:|", *rows])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_data_argument(parser)
    parser.add_argument("--repeats", type=int, default=5, help="number of turns (default: 5)")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    args = parser.parse_args()
    if args.memory:
        print(memory_table(args.data))
        return
    path = ensure(SMALL, args.data)
    print("| command | datadings, s | ddfast, s | times as fast | target |\n|---|--:|--:|--:|--:|")
    for command in COMMANDS:
        rates = command_rates(command, path, args.repeats)
        seconds = {side: Spread.of([SMALL.n / rate for rate in rates[side]]) for side in rates}
        ratio = ratios(rates["ddfast"], rates["datadings"])
        print(
            f"| {command.title} | {seconds['datadings']:.2f} | {seconds['ddfast']:.2f} | {ratio:.2f} "
            f"| {command.target:g} |",
            flush=True,
        )
    print(f"\n{machine_line(machine())}; medians of {args.repeats} (lowest to highest)")


if __name__ == "__main__":
    main()
