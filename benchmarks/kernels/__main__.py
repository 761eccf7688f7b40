"""Count the instructions of each C kernel with valgrind, and compare them with the stored baseline.

Without an option, the command shows the counts of this checkout and of the baseline. Counts depend on the compiler: if
it is not that of the baseline, the commit that renewed the baseline is counted again and used for the comparison.

Examples:
  python -m benchmarks.kernels --check
  python -m benchmarks.kernels --against main --kernel plan --kernel scan
  python -m benchmarks.kernels --time -k columns
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.kernels.baseline import PATH, Baseline
from benchmarks.kernels.build import BuildError, describe, toolchain
from benchmarks.kernels.callgrind import CountError
from benchmarks.kernels.compare import TOLERANCE, changes, complaints, table
from benchmarks.kernels.counting import ROOT, count_tree, require_valgrind
from benchmarks.kernels.history import HistoryError, checkout, renewal

RENEW = "python -m benchmarks.kernels --renew"


def reference(stored: Baseline, kernels: list[str]) -> tuple[dict[str, int], str]:
    """The counts to compare with, made by the current toolchain, and their name.

    Raises:
        HistoryError: the baseline was made by another toolchain, and its commit is not available or cannot be built.
    """
    here = toolchain()
    if stored.toolchain == here:
        return stored.counts, "baseline"
    print(f"The baseline was counted with {describe(stored.toolchain)}, here is {describe(here)}.")
    commit = renewal(ROOT)
    print(f"Compared with {commit[:12]}, which renewed it, counted again.")
    with checkout(ROOT, commit) as tree:
        try:
            counts = count_tree(tree, kernels)
        except BuildError as error:
            raise HistoryError(f"{commit[:12]} does not compile: {error}") from error
    note_left_out(counts.left_out, commit[:12])
    return counts.of, commit[:12]


def note_left_out(left_out: dict[str, str], where: str) -> None:
    for name in left_out:
        print(f"{name}: not counted in {where}, because no program fits the kernel")


def show(kernels: list[str]) -> int:
    before, title = reference(Baseline.read(ROOT), kernels)
    now = count_tree(ROOT, kernels).of
    print(table([change for change in changes(before, now) if change.name in now], title, "now"))
    return 0


def check(kernels: list[str]) -> int:
    """0 if no kernel grew and the baseline contains all of them."""
    stored = Baseline.read(ROOT)
    now = count_tree(ROOT, kernels).of
    known = {name for name in stored.counts if not kernels or name.split(".")[0] in kernels}
    try:
        before, _ = reference(stored, kernels)
    except HistoryError as error:
        print(f"Counts are not compared: {error}.")
        before = {}
    found = changes(before, now)
    failed = complaints(found, known, now)
    for line in failed:
        print(f"FAILED {line}")
    for change in found:
        if change.growth is not None and change.growth < -TOLERANCE:
            print(f"{change.name} shrank by {-change.growth:.1%}: `{RENEW}` stores the new count")
    if failed:
        print(f"If this is intended, run `{RENEW}` and commit {PATH} together with the change.")
        return 1
    compared = sum(change.growth is not None for change in found)
    print(f"{len(now)} cases counted, {compared} compared: none grew by more than {TOLERANCE:.0%}.")
    return 0


def renew() -> int:
    """Store the counts of this checkout."""
    old = Baseline.read(ROOT)
    now = count_tree(ROOT).of
    Baseline(toolchain(), now).write(ROOT)
    print(table(changes(old.counts, now), f"before ({old.toolchain['compiler']})", "now"))
    print(f"\n{PATH} renewed, with {describe(toolchain())}")
    return 0


def against(revision: str, kernels: list[str]) -> int:
    """Show the counts of another revision and of this checkout, by the same programs and compiler."""
    with checkout(ROOT, revision) as tree:
        before = count_tree(tree, kernels)
    note_left_out(before.left_out, revision)
    print(table(changes(before.of, count_tree(ROOT, kernels).of), revision, "now"))
    print(f"\ninstructions, counted by callgrind; {describe(toolchain())}")
    return 0


def measure(arguments: list[str]) -> int:
    """Run the suites of pytest-benchmark."""
    suites = Path(__file__).parent / "timed"
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "--benchmark-columns=median,iqr,min,rounds"]
    command = [sys.executable, "-m", "pytest", str(suites), *options, "--benchmark-sort=name"]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kernels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help=f"fail if a count grew by more than {TOLERANCE:.0%}%"
    )
    what.add_argument("--renew", action="store_true", help="store the counts as the new baseline")
    what.add_argument("--against", metavar="BRANCH", help="count another revision too, and compare with it")
    what.add_argument(
        "--time", action="store_true", help="measure times; further options are passed to pytest"
    )
    parser.add_argument(
        "--kernel", action="append", default=[], help="count only this kernel; may be repeated"
    )
    args, rest = parser.parse_known_args()
    if args.time:
        return measure(rest)
    if rest or (args.renew and args.kernel):
        parser.error(f"unexpected: {' '.join(rest) or '--kernel with --renew'}")
    try:
        require_valgrind()
        if args.renew:
            return renew()
        if args.against:
            return against(args.against, args.kernel)
        return check(args.kernel) if args.check else show(args.kernel)
    except (BuildError, CountError, HistoryError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
