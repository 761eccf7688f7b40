"""Counts of instructions: how they are read, compared and judged."""

import ast
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.kernels import __main__ as command
from benchmarks.kernels import build, history
from benchmarks.kernels.baseline import PATH, Baseline
from benchmarks.kernels.callgrind import own_instructions
from benchmarks.kernels.compare import Change, changes, complaints, table
from benchmarks.kernels.counting import Counts

ROOT = Path(__file__).resolve().parents[2]
WITHIN_OTHERS = {
    "columns_fields", "columns_fill", "columns_locate", "core", "engine", "file", "job", "json_column", "json_record",
    "json_text", "json_window", "notifier", "ring", "sys", "table", "uring", "worker",
}  # fmt: skip
HERE = {"compiler": "gcc 12.2.0", "flags": "-O3", "machine": "x86_64"}
ELSEWHERE = HERE | {"compiler": "gcc 13.3.0"}


def judge(before, after):
    return complaints(changes(before, after), before, after)


@pytest.mark.parametrize("after", [1051, 1_000_000])
def test_growth_beyond_the_tolerance_names_the_kernel_and_both_counts(after):
    (line,) = judge({"plan.cut": 1000, "scan.run": 7}, {"plan.cut": after, "scan.run": 7})
    assert line.startswith("plan.cut grew by ")
    assert line.endswith(f": 1,000 instructions before, {after:,} now")


@pytest.mark.parametrize("after", [1, 999, 1000, 1001, 1049, 1050])
def test_growth_within_the_tolerance_passes(after):
    assert judge({"plan.cut": 1000}, {"plan.cut": after}) == []


def test_a_case_that_the_baseline_lacks_fails():
    assert judge({}, {"plan.cut": 1000}) == ["plan.cut is not in the baseline"]


def test_a_case_that_went_away_fails():
    assert judge({"plan.cut": 1000}, {}) == ["plan.cut is in the baseline, but does not exist any more"]


def test_a_case_that_an_older_tree_lacks_passes():
    found = changes({}, {"plan.cut": 1000})
    assert complaints(found, {"plan.cut"}, {"plan.cut"}) == []


def test_growth_is_unknown_where_a_count_is_missing():
    assert Change("x", 1, None).growth is None
    assert Change("x", None, 1).growth is None


def test_counts_stand_side_by_side():
    text = table(changes({"a": 1000, "b": 10}, {"a": 900, "c": 5}), "main", "now")
    assert text.splitlines() == [
        "| kernel |  main | now | change |",
        "|--------|------:|----:|-------:|",
        "| a      | 1,000 | 900 | -10.0% |",
        "| b      |    10 |     |        |",
        "| c      |       |   5 |        |",
    ]


PROFILE = """\
# callgrind format
events: Ir
summary: 1115

ob=/lib/libc.so.6
fl=???
fn=main
10 5
cob=/tmp/plan
cfn=bench_counted
calls=1 7
10 1110

ob=/tmp/plan
fn=bench_counted
7 3
8 7
cfn=run
calls=2 9
8 1100

fn=run
20 90
cob=/lib/libc.so.6
cfn=malloc
calls=10 0
21 1000
22 10

ob=/lib/libc.so.6
fn=malloc
0 1000

totals: 1115
"""


def test_a_count_is_what_the_program_itself_did():
    assert own_instructions(PROFILE, "/tmp/plan") == 3 + 7 + 90 + 10


def test_a_program_that_never_ran_counts_nothing():
    assert own_instructions(PROFILE, "/tmp/pla") == 0


def test_a_baseline_is_read_back(tmp_path):
    (tmp_path / PATH).parent.mkdir(parents=True)
    stored = Baseline(HERE, {"plan.cut": 1000})
    stored.write(tmp_path)
    assert Baseline.read(tmp_path) == stored


def test_no_baseline_is_an_empty_one(tmp_path):
    assert Baseline.read(tmp_path).counts == {}


def test_every_kernel_is_counted_and_in_the_baseline():
    kernels = {path.stem.removeprefix("ddf_") for path in ROOT.glob("csrc/*.c")}
    programs = {path.stem for path in (ROOT / build.DRIVERS).glob("*.c")} - set(build.SHARED)
    assert programs == kernels - WITHIN_OTHERS
    assert {name.split(".")[0] for name in Baseline.read(ROOT).counts} == programs


@pytest.mark.skipif(not build.X86, reason="the options of another processor")
def test_kernels_are_counted_with_the_options_they_are_shipped_with():
    strings = {
        n.value for n in ast.walk(ast.parse((ROOT / "setup.py").read_text())) if isinstance(n, ast.Constant)
    }
    options = {s for s in strings if isinstance(s, str) and s.startswith(("-std=", "-O", "-m", "-f"))}
    assert set(build.OPTIMISE) == options - {"-fvisibility=hidden"}


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(build.BuildError, match="'no-such-compiler' is not installed"):
        build.toolchain()


# -- the check --


@pytest.fixture
def check(monkeypatch):
    """Checks given counts against a baseline, by a toolchain; an older tree has the counts `older`."""

    def run(stored, now, chain=HERE, older=None):
        def count_tree(tree, kernels=()):
            if tree == command.ROOT:
                return Counts(now)
            if isinstance(older, Exception):
                raise older
            return Counts(older)

        monkeypatch.setattr(command, "toolchain", lambda: chain)
        monkeypatch.setattr(command.Baseline, "read", lambda root: Baseline(HERE, stored))
        monkeypatch.setattr(command, "count_tree", count_tree)
        return command.check([])

    return run


@pytest.fixture
def renewed_by(monkeypatch, tmp_path):
    """Has git name a commit as the one that renewed the baseline, or say why there is none."""

    def prepare(commit):
        def renewal(root):
            if isinstance(commit, Exception):
                raise commit
            return commit

        class Checkout:
            def __init__(self, root, revision):
                assert revision == commit

            def __enter__(self):
                return tmp_path

            def __exit__(self, *_):
                pass

        monkeypatch.setattr(command, "renewal", renewal)
        monkeypatch.setattr(command, "checkout", Checkout)

    return prepare


def test_a_check_fails_when_a_kernel_grew_and_says_the_way_out(check, capsys):
    assert check({"plan.cut": 1000}, {"plan.cut": 1100}) == 1
    said = capsys.readouterr().out
    assert "FAILED plan.cut grew by 10.0%: 1,000 instructions before, 1,100 now" in said
    assert f"python -m benchmarks.kernels --renew` and commit {PATH}" in said


def test_a_check_passes_when_nothing_grew_and_reminds_of_what_shrank(check, capsys):
    assert check({"plan.cut": 1000, "scan.run": 100}, {"plan.cut": 500, "scan.run": 104}) == 0
    said = capsys.readouterr().out
    assert "plan.cut shrank by 50.0%" in said
    assert "2 cases counted, 2 compared: none grew by more than 5%." in said


def test_another_compiler_is_no_failure(check, renewed_by, capsys):
    renewed_by("0123456789abcdef")
    assert check({"plan.cut": 1000}, {"plan.cut": 2000}, ELSEWHERE, older={"plan.cut": 2000}) == 0
    said = capsys.readouterr().out
    assert "counted with gcc 12.2.0 for x86_64 with -O3, here is gcc 13.3.0" in said
    assert "Compared with 0123456789ab, which renewed it, counted again." in said


def test_a_kernel_that_grew_fails_with_another_compiler_too(check, renewed_by, capsys):
    renewed_by("0123456789abcdef")
    assert check({"plan.cut": 9000}, {"plan.cut": 2000}, ELSEWHERE, older={"plan.cut": 1500}) == 1
    assert "plan.cut grew by 33.3%: 1,500 instructions before, 2,000 now" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["history", "build"])
def test_another_compiler_and_nothing_to_compare_with_passes_and_says_so(check, renewed_by, capsys, what):
    renewed_by(history.HistoryError("the clone is too shallow") if what == "history" else "0123456789abcdef")
    assert check({"plan.cut": 1000}, {"plan.cut": 2000}, ELSEWHERE, older=build.BuildError("odd")) == 0
    said = capsys.readouterr().out
    assert ("too shallow" if what == "history" else "0123456789ab does not compile: odd") in said
    assert "1 cases counted, 0 compared" in said


def test_a_case_without_baseline_fails_with_any_compiler(check, renewed_by, capsys):
    renewed_by(history.HistoryError("the clone is too shallow"))
    assert check({}, {"plan.cut": 2000}, ELSEWHERE) == 1
    assert "plan.cut is not in the baseline" in capsys.readouterr().out


def test_a_missing_valgrind_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["kernels", "--check"])
    assert command.main() == 2
    assert "apt install valgrind" in capsys.readouterr().err


# -- the history --


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with three commits, of which the second renewed the baseline. Calls run git there."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    for variable in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(variable, os.devnull)
    root = tmp_path / "repository"
    (root / "csrc").mkdir(parents=True)
    (root / PATH).parent.mkdir(parents=True)

    def git(*arguments):
        names = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        run = subprocess.run(
            ["git", *names, *arguments], cwd=root, check=True, capture_output=True, text=True
        )
        return run.stdout.strip()

    git("init", "-q")
    for number in range(3):
        (root / "csrc" / "ddf_plan.c").write_text(f"// {number}")
        Baseline(HERE, {"plan.cut": min(number, 1)}).write(root)
        git("add", ".")
        git("commit", "-qm", str(number))
    git.root = root
    return git


def test_the_commit_that_renewed_the_baseline_is_found(repository):
    assert history.renewal(repository.root) == repository("rev-parse", "HEAD~1")


def test_a_revision_is_checked_out_beside(repository):
    with history.checkout(repository.root, "HEAD~2") as tree:
        assert (tree / "csrc" / "ddf_plan.c").read_text() == "// 0"
    assert not tree.exists()
    assert repository("status", "--porcelain") == ""


@pytest.mark.parametrize("revision", ["nowhere", "--output=x"])
def test_an_unknown_revision_is_refused(repository, revision):
    with (
        pytest.raises(history.HistoryError, match=f"no revision '{revision}'"),
        history.checkout(repository.root, revision),
    ):
        pass


def test_a_baseline_that_is_not_committed_has_no_commit(repository):
    (repository.root / PATH).write_text(json.dumps({}))
    with pytest.raises(history.HistoryError, match="not committed"):
        history.renewal(repository.root)


def test_a_shallow_clone_does_not_take_its_first_commit_for_a_renewal(repository, tmp_path):
    clone = tmp_path / "clone"
    repository("clone", "-q", "--depth=1", f"file://{repository.root}", str(clone))
    with pytest.raises(history.HistoryError, match="git fetch --unshallow"):
        history.renewal(clone)


def test_a_folder_outside_of_git_has_no_history(tmp_path):
    with pytest.raises(history.HistoryError, match="git"):
        history.renewal(tmp_path)
