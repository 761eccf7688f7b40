"""The comparison with other formats: that it compares the same samples, and tells of all that went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.collating import collate
from benchmarks.peers import __main__ as command
from benchmarks.peers import registry, report, source
from benchmarks.peers import run as running
from benchmarks.peers.check import WrongSamples, check
from benchmarks.peers.contract import NotOffered, Reader
from benchmarks.peers.fresh import first_sample
from benchmarks.peers.fresh import run as run_fresh
from benchmarks.peers.jobs import BATCH, STREAMS, LateWatch, measure
from benchmarks.peers.registry import PEERS, Entry
from benchmarks.peers.run import Plan, Result, Round
from benchmarks.peers.team import Failed, Worker, WorkerLost

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sets affinity")

N = 600  # samples: two batches and some
SHORT = 0.005
TIMEOUT = 60.0


class ListReader(Reader):
    """Samples in a list."""

    def __init__(self, samples: list[dict[str, Any]]) -> None:
        self.list = samples

    def __len__(self) -> int:
        return len(self.list)

    def samples(self) -> Iterator[dict[str, Any]]:
        return iter(self.list)

    def get(self, index: int) -> dict[str, Any]:
        return self.list[index]


@pytest.fixture
def vectors() -> ListReader:
    return ListReader(list(source.samples("vector16", N)))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """``module(code)`` is the name of a module with that code, for processes."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(code: str) -> str:
        (tmp_path / "odd_worker.py").write_text(f"import os, sys, time\nsys.stdin.readline()\n{code}\n")
        return "odd_worker"

    return make


def plan(data: Path, **options: Any) -> Plan:
    defaults = {"datasets": ["vector16"], "peers": ["numpy_columns"], "jobs": ["batches"]}
    settings = {**defaults, "data": data, "samples": N, "repeats": 2, "seconds": SHORT, "timeout": TIMEOUT}
    return Plan(**{**settings, **options})


# -- the peers


@pytest.mark.parametrize(
    "entry", [entry for entry in PEERS if not entry.shares], ids=lambda entry: entry.name
)
def test_peer_and_those_that_share_its_files_give_back_what_was_written(entry, tmp_path):
    readers = [other for other in PEERS if other.stored_as == entry.name and not other.missing()]
    if not readers:
        pytest.skip(f"{', '.join(entry.missing())} not installed")
    offered = False
    for reader in readers:
        with Worker(reader.name, tmp_path / f"{reader.name}.log") as worker:
            for dataset in ("image2800", "vector16"):
                folder = str(tmp_path / dataset)
                try:
                    with Worker(entry.name, tmp_path / "writer.log") as writer:
                        writer.ask("prepare", TIMEOUT, dataset=dataset, n=N, folder=folder)
                except NotOffered:
                    continue
                worker.ask("open", TIMEOUT, folder=folder)
                if not reader.is_limit:
                    worker.ask("check", TIMEOUT, dataset=dataset, n=N)
                assert worker.ask("measure", TIMEOUT, job="batches", seconds=SHORT)["rate"] > 0
                worker.ask("close", TIMEOUT)
                offered = True
    assert offered or entry.name == "ffcv"


def test_every_peer_has_a_module_of_its_name():
    folder = Path(registry.__file__).parent / "formats"
    assert {path.stem for path in folder.glob("[!_]*.py")} == {entry.name for entry in PEERS}


def test_files_are_written_once(tmp_path):
    folder = tmp_path / "files"
    request = {"dataset": "vector16", "n": N, "folder": str(folder)}
    with Worker("numpy_columns", tmp_path / "log") as worker:
        worker.ask("prepare", TIMEOUT, **request)
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        worker.ask("prepare", TIMEOUT, **request)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_write_is_measured_without_leaving_files(tmp_path):
    with Worker("numpy_columns", tmp_path / "log") as worker:
        reply = worker.ask("write", TIMEOUT, dataset="vector16", n=N, folder=str(tmp_path / "here"))
    assert reply["rate"] > 0
    assert not list((tmp_path / "here").iterdir())


# -- the same work


def test_right_samples_pass(vectors):
    check(vectors, "vector16", N)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda samples: samples[:-1], "it has 599 samples, not 600"),
        (lambda samples: [*samples[1:], samples[0]], "samples: 'key' of sample 0"),
        (lambda samples: [{**sample, "label": 7} for sample in samples], "samples: 'label' of sample 0"),
        (lambda samples: [{**sample, "vec": sample["vec"] + 1} for sample in samples], "samples: 'vec' of"),
        (lambda samples: [{**sample, "more": 1} for sample in samples], "has the fields"),
        (
            lambda samples: [{**sample, "vec": sample["vec"].tolist()} for sample in samples],
            "'vec' of sample 0",
        ),
    ],
)
def test_wrong_samples_are_found(vectors, change, message):
    vectors.list = change(vectors.list)
    with pytest.raises(WrongSamples, match=message):
        check(vectors, "vector16", N)


def test_columns_that_are_no_arrays_are_found(vectors, monkeypatch):
    monkeypatch.setattr(
        ListReader, "batches", lambda self, size: iter([{k: [s[k] for s in self.list] for k in self.list[0]}])
    )
    with pytest.raises(WrongSamples, match="is not a dense, aligned array"):
        check(vectors, "vector16", N)


@pytest.mark.parametrize(
    ("order", "message"),
    [(range(N), "in order"), ([0] * N, "are repeated"), (range(N - 1), "599 samples, not 600")],
)
def test_an_epoch_that_is_no_permutation_is_found(vectors, monkeypatch, order, message):
    monkeypatch.setattr(
        ListReader, "shuffled", lambda self, size, seed: iter([collate([self.list[i] for i in order])])
    )
    with pytest.raises(WrongSamples, match=message):
        check(vectors, "vector16", N)


@pytest.mark.parametrize("job", STREAMS)
def test_job_counts_samples(vectors, job):
    timing = measure(job, vectors, SHORT)
    assert timing.rate > 0
    assert timing.cpu >= 0


def test_a_pass_that_ends_early_is_found(vectors, monkeypatch):
    monkeypatch.setattr(ListReader, "samples", lambda self: iter(self.list[:BATCH]))
    with pytest.raises(ValueError, match="344 samples early"):
        measure("samples", vectors, SHORT)


def test_the_start_of_a_pass_is_not_counted():
    watch = LateWatch(60.0)
    watch.more(1000)
    started = watch.started
    watch.more(3)
    assert watch.count == 3
    assert watch.started == started


# -- what goes wrong


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('last words', file=sys.stderr); os._exit(3)", "ended with status 3: last words"),
        ("os.kill(os.getpid(), 9)", "died of signal SIGKILL"),
        ("time.sleep(60)", "no answer within 0.5 s"),
    ],
)
def test_a_worker_that_dies_or_hangs_is_reported_and_gone(module, tmp_path, code, message):
    with Worker("any", tmp_path / "log", module(code)) as worker:
        with pytest.raises(WorkerLost, match=message):
            worker.ask("open", 0.5 if "sleep" in code else TIMEOUT, folder="")
        assert worker.process.returncode is not None


def test_a_worker_survives_what_a_peer_raises(tmp_path):
    with Worker("numpy_columns", tmp_path / "log") as worker:
        with pytest.raises(Failed, match="FileNotFoundError"):
            worker.ask("open", TIMEOUT, folder=str(tmp_path / "nothing"))
        assert worker.ask("close", TIMEOUT)["status"] == "done"


def test_a_lost_peer_is_reported_and_the_others_go_on(module, tmp_path, monkeypatch):
    name = module("print('last words', file=sys.stderr); os._exit(3)")
    whole = Round.worker

    def worker(self: Round, peer: str) -> Worker:
        return Worker(peer, tmp_path / "log", name) if peer == "ddfast" else whole(self, peer)

    monkeypatch.setattr(Round, "worker", worker)
    lost, kept = running.run(plan(tmp_path, peers=["ddfast", "numpy_columns"]))
    assert lost.failed == "its process ended with status 3: last words"
    assert lost.spread is None
    assert len(kept.values) == 2


def test_a_peer_lost_in_one_job_is_not_asked_for_the_next(tmp_path, monkeypatch):
    ask = Worker.ask

    def dying(self: Worker, do: str, timeout: float, **arguments: Any) -> dict[str, Any]:
        if arguments.get("job") == "get":
            self.process.kill()
        return ask(self, do, timeout, **arguments)

    monkeypatch.setattr(Worker, "ask", dying)
    results = running.run(plan(tmp_path, jobs=["batches", "get", "samples"]))
    assert [bool(result.values) for result in results] == [True, False, False]
    assert results[1].failed == results[2].failed == "get: its process died of signal SIGKILL"


def test_a_peer_that_is_not_installed_is_reported(tmp_path, monkeypatch):
    entry = Entry("lmdb", "LMDB", ("no-such-distribution",))
    monkeypatch.setitem(registry.BY_NAME, "lmdb", entry)
    (result,) = running.run(plan(tmp_path, peers=["lmdb"]))
    assert result.missing == "not installed: no-such-distribution"
    assert "- [1]" in report.table("vector16", [result])


def test_a_fresh_process_that_ends_early_is_reported(tmp_path):
    with pytest.raises(Failed, match="ended early: FileNotFoundError"):
        first_sample("numpy_columns", tmp_path, TIMEOUT)


def test_a_fresh_process_that_hangs_is_reported(tmp_path):
    with pytest.raises(WorkerLost, match="did not answer in time"):
        run_fresh("import time; time.sleep(60)", tmp_path, b"never", 0.3)


# -- the command


def test_command_writes_tables_and_figures(tmp_path, capsys):
    markdown, figures = tmp_path / "tables.md", tmp_path / "figures.json"
    options = f"--data {tmp_path} --datasets vector16 --peers ddfast numpy_columns preadv --samples {N}"
    times = f"--repeats 1 --seconds {SHORT} --json {figures} --markdown {markdown}"
    assert command.main(f"{options} {times}".split()) == 0
    text = markdown.read_text()
    assert capsys.readouterr().out == text
    assert [line.split(" |")[0] for line in text.splitlines() if line.startswith("| ")][1:] == [
        "| ddfast",
        "| NumPy column files",
        "| limit: preadv",
    ]
    document = json.loads(figures.read_text())
    assert document["machine"]["samples"] == {"vector16": N}
    assert all(row["median"] > 0 or row["job"] == "cpu" for row in document["results"] if row["values"])
    assert {row["job"] for row in document["results"] if not row["values"]} == {"cpu"}  # of the limit


def test_cpu_is_measured_without_the_job_that_it_belongs_to(tmp_path):
    (result,) = running.run(plan(tmp_path, jobs=["cpu"]))
    assert len(result.values) == 2


def test_some_jobs_have_fewer_turns(tmp_path):
    found = running.run(plan(tmp_path, jobs=["batches", "write", "size"], repeats=4))
    assert [len(result.values) for result in found] == [4, 3, 1]
    assert "(writing: 3, peak memory: 2, on disk: 1; once if" in report.legend(
        report.facts(plan(tmp_path, repeats=4))
    )


def test_a_slow_turn_is_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "SLOW_SECONDS", 0.0)
    (result,) = running.run(plan(tmp_path))
    assert len(result.values) == 1


@pytest.mark.parametrize("keep", [False, True])
def test_files_of_peers_are_kept_if_that_is_asked_for(tmp_path, keep):
    running.run(plan(tmp_path, keep=keep))
    assert bool(list((tmp_path / "peers").glob("vector16-*/numpy_columns/*.npy"))) == keep


def test_peers_that_do_not_fit_onto_the_disk_are_refused_at_once(tmp_path, monkeypatch):
    usage = running.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(running.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SystemExit, match=r"1 peers need 0\.3 GB, and 0\.0 GB are free; reduce --gigabytes"):
        running.run(plan(tmp_path))


def test_large_datasets_are_cut_to_a_round_number_of_samples(tmp_path):
    assert Plan(["vector16"], [], [], tmp_path).n("vector16") == source.BY_NAME["vector16"].n
    n = Plan(["image105k"], [], [], tmp_path, gigabytes=0.1).n("image105k")
    assert n % 10 == 0
    assert 0.085e9 < source.mean_bytes("image105k", n) * n < 0.105e9


def cut_off(after: int) -> Callable[[list[Result]], None]:
    """Called after each job: ends the run after some of them."""
    calls = iter(range(1, 100))

    def done(results: list[Result]) -> None:
        if next(calls) == after:
            raise KeyboardInterrupt

    return done


def test_a_run_that_was_cut_off_goes_on_with_the_next_job(tmp_path, monkeypatch):
    asked = plan(tmp_path, jobs=["samples", "batches", "cpu", "get"])
    so_far: list[Result] = []
    with pytest.raises(KeyboardInterrupt):
        running.run(asked, [], lambda now: (so_far.__setitem__(slice(None), now), cut_off(1)(now)))
    assert [result.finished for result in so_far] == [True, False, False, False]
    first = list(so_far[0].values)
    measured = []
    figures = Round.figures
    monkeypatch.setattr(
        Round, "figures", lambda self, *what: (measured.append(what[1]), figures(self, *what))
    )
    whole = running.run(asked, so_far)
    assert measured == ["batches"] * 2 + ["get"] * 2
    assert whole[0].values == first
    assert all(result.finished and len(result.values) == 2 for result in whole)


def test_results_of_other_datasets_stay_when_a_run_goes_on(tmp_path):
    old = Result("image2800", "lmdb", "get", [1.0], finished=True)
    assert running.run(plan(tmp_path), [old])[0] == old


def test_command_goes_on_from_its_json_file(tmp_path, monkeypatch, capsys):
    figures = tmp_path / "figures.json"
    options = f"--data {tmp_path} --datasets vector16 --peers numpy_columns --samples {N} --repeats 1 --seconds {SHORT}"
    arguments = [*options.split(), "--jobs", "batches", "get", "--json", str(figures)]
    do = Round.do

    def stop_at_get(self: Round, job: str, progress: Any) -> bool:
        if job == "get":
            raise KeyboardInterrupt
        return do(self, job, progress)

    monkeypatch.setattr(Round, "do", stop_at_get)
    assert command.main(arguments) == 130
    assert "continue with the same command and --resume" in capsys.readouterr().err
    kept = json.loads(figures.read_text())["results"][0]["values"]
    monkeypatch.setattr(Round, "do", do)
    assert command.main([*arguments, "--resume"]) == 0
    assert [row["finished"] for row in json.loads(figures.read_text())["results"]] == [True, True]
    assert json.loads(figures.read_text())["results"][0]["values"] == kept
    assert "load before the run" in capsys.readouterr().out


def test_a_run_does_not_go_on_with_other_options(tmp_path):
    figures = tmp_path / "figures.json"
    options = f"--data {tmp_path} --datasets vector16 --peers numpy_columns --jobs size --samples {N} --json {figures}"
    assert command.main(options.split()) == 0
    with pytest.raises(SystemExit, match=r"--resume: the earlier run had seconds 0\.5, this one has 0\.1"):
        command.main([*options.split(), "--resume", "--seconds", "0.1"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--peers nobody", "invalid choice: 'nobody'"),
        ("--jobs sleep", "invalid choice: 'sleep'"),
        ("--datasets imagenet", "invalid choice: 'imagenet'"),
        ("--repeats 0", "0 is not above 0"),
        ("--seconds soon", "invalid number value: 'soon'"),
        ("--resume", "--resume needs --json"),
    ],
)
def test_wrong_options_are_explained(options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(options.split())
    assert message in capsys.readouterr().err


def test_more_cores_than_there_are_is_an_error():
    with pytest.raises(SystemExit, match="--cores is 4096, but only"):
        command.main(["--cores", "4096"])


# -- tables and pictures


def results() -> list[Result]:
    return [
        Result("vector16", "preadv", "samples", [9e6]),
        Result("vector16", "ddfast", "samples", [2e6, 1e6, 3e6]),
        Result("vector16", "lmdb", "samples", [12_345.0]),
        Result("vector16", "mds", "samples", not_offered="why not"),
        Result("vector16", "litdata", "samples", [1.0], failed="it broke"),
        Result("vector16", "preadv", "first", [1.0]),
        Result("vector16", "ddfast", "first", [50.0]),
        Result("vector16", "lmdb", "first", [40.0]),
        Result("vector16", "mds", "first", not_offered="why not"),
        Result("vector16", "litdata", "first", failed="it broke"),
    ]


def test_table_has_limits_last_the_best_in_bold_and_reasons_below():
    assert report.table("vector16", results()).splitlines()[2:] == [
        "| | samples in order, samples/s | first sample, ms |",
        "|---|--:|--:|",
        "| ddfast | **2.00 M** | 50.0 |",
        "| LMDB | 12.3 k | **40.0** |",
        "| MosaicML Streaming | - [1] | - [1] |",
        "| LitData | failed [2] | failed [2] |",
        "| limit: preadv | 9.00 M | 1.00 |",
        "",
        "[1] why not",
        "",
        "[2] it broke",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.012"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (1234, "1,234"),
        (123_456, "123 k"),
        (1.2e8, "120 M"),
        (1.234e10, "12.3 G"),
    ],
)
def test_figures_have_three_digits(value, text):
    assert report.figure(value) == text


def test_pictures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.peers.plot import plot

    (path,) = plot(tmp_path / "new", results(), "a machine")
    assert path.name == "peers_vector16.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_records_survive_packing():
    from benchmarks.peers.records import columns, pack, unpack

    for dataset in ("image2800", "vector16"):
        samples = list(source.samples(dataset, 3))
        records = [pack(sample) for sample in samples]
        assert [str(unpack(record)) for record in records] == [str(sample) for sample in samples]
        assert np.array_equal(columns(records)["label"], [sample["label"] for sample in samples])
