"""The command ddfast-bench: what it measures, prints, draws and leaves behind."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ddfast import FileWriter
from ddfast.commands import _demo, _measure, _run, bench
from ddfast.commands._measure import Job, Meter

N = 600


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "small.msgpack"
    with FileWriter(path, disable=True) as writer:
        for sample in _demo.demo_samples(N):
            writer.write({**sample, "image": sample["image"][:1000]})
    return path


@pytest.fixture(autouse=True)
def short_plain_reads(monkeypatch):
    monkeypatch.setattr(bench, "RAW_SECONDS", 0.01)


def run(*argv: str) -> int:
    return _run.run(bench, "ddfast-bench", [str(arg) for arg in argv])


def bar() -> SimpleNamespace:
    return SimpleNamespace(update=lambda n: None)


@pytest.mark.parametrize("face", ["--async", "--sync"])
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-r"],
        ["-s"],
        ["--samples"],
        ["--samples", "-r"],
        ["--samples", "-s"],
        ["--columns", "label,image"],
    ],
    ids=" ".join,
)
def test_every_kind_of_run_counts_whole_passes(dataset, capsys, face, options):
    assert run(dataset, face, *options, "--epochs", 2, "--batch-size", 128, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["samples"] == 2 * N
    assert result["file_bytes"] == dataset.stat().st_size
    assert result["share_of_raw"] > 0
    assert result["first_seconds"] <= result["seconds"]


def test_rates_follow_from_counts_and_times(dataset, capsys):
    run(dataset, "--epochs", 1, "--json")
    result = json.loads(capsys.readouterr().out)
    assert result["samples_per_second"] == pytest.approx(N / result["seconds"])
    assert result["mb_per_second"] == pytest.approx(dataset.stat().st_size / 1e6 / result["seconds"])


def test_summary_names_every_figure(dataset, capsys):
    run(dataset, "--epochs", 1)
    text = capsys.readouterr().out
    for figure in (
        "samples/s",
        "MB/s",
        "CPU seconds per GB",
        "first batch after",
        "waited for batches",
        "share of plain preadv",
    ):
        assert figure in text


def test_plot_is_a_png(dataset, tmp_path):
    pytest.importorskip("matplotlib")
    assert run(dataset, "--epochs", 1, "--plot", tmp_path / "rate.png") == 0
    assert (tmp_path / "rate.png").read_bytes().startswith(b"\x89PNG")


def test_missing_matplotlib_is_told_before_anything_is_read(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("nowhere.msgpack", "--plot", "x.png") == 1
    assert "pip install matplotlib" in capsys.readouterr().err


def test_without_file_the_demo_dataset_is_removed_at_the_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(bench, "write_demo", lambda folder: _demo.write_demo(folder, 50, show=False))
    assert run("--epochs", 1) == 0
    assert "demo.msgpack: 50 samples" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_quietly_and_removes_the_demo_dataset(tmp_path, monkeypatch, capsys):
    def interrupted(job: Job) -> None:
        assert job.path.parent.parent == tmp_path
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(bench, "write_demo", lambda folder: folder / "demo.msgpack")
    monkeypatch.setattr(bench, "bench", interrupted)
    assert run() == 130
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photos(tmp_path):
    """A folder with six files of two labels, and the same in a ZIP file."""
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for label in "ab":
            (tmp_path / "photos" / label).mkdir(parents=True)
            for i in range(3):
                file = tmp_path / "photos" / label / f"{i}.{'jpg' if i else 'txt'}"
                file.write_bytes(bytes(100 * (i + 1)))
                archive.write(file, f"{label}/{file.name}")
    return tmp_path / "photos"


@pytest.mark.parametrize("options", [[], ["-r"], ["-s"], ["--samples"], ["--async"]], ids=" ".join)
@pytest.mark.parametrize("source", ["photos/{LABEL}/**", "photos.zip"])
def test_folders_and_zip_files_are_read_by_their_readers(photos, capsys, source, options):
    assert run(photos.parent / source, *options, "--epochs", 3, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["job"]["blocking"] is True
    assert result["samples"] == 18
    assert result["file_samples"] == 6
    assert result["file_bytes"] > 2 * (100 + 200 + 300)
    assert result["share_of_raw"] == 0


def test_files_are_chosen_by_patterns(photos, capsys):
    pattern = photos / "{LABEL}" / "**"
    run(pattern, "--epochs", 1, "--json", "--include", "*.jpg", "--exclude", "*/b/*")
    assert json.loads(capsys.readouterr().out)["file_samples"] == 2


def test_list_of_files_has_a_separator_and_a_root(photos, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("a/1.jpg;x\nb/2.jpg;y\n")
    assert run(names, "--epochs", 1, "--json", "--separator", ";", "--root-dir", photos) == 0
    assert json.loads(capsys.readouterr().out)["file_samples"] == 2


def test_summary_of_files_names_the_pattern_and_compares_with_nothing(photos, tmp_path, capsys):
    pattern = photos / "{LABEL}" / "**"
    assert run(pattern, "--epochs", 1) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{pattern}: 6 samples of ")
    assert "blocking batches(256): 6 samples" in text
    assert "preadv" not in text


@pytest.mark.parametrize("source", ["nothing/**", "photos/{LABEL}/*.png", "photos"])
def test_pattern_without_files_is_told_with_an_example(photos, capsys, source):
    assert run(photos.parent / source) == 1
    captured = capsys.readouterr()
    assert (
        f"{photos.parent / source} matches no files. Use a pattern such as 'photos/{{LABEL}}/**'"
        in captured.err
    )
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("name", [".", "/"])
def test_folder_without_a_name_is_told_too(name, capsys):
    assert run(name) == 1
    assert f"{name} matches no files" in capsys.readouterr().err


def test_missing_zip_file_is_named(tmp_path, capsys):
    assert run(tmp_path / "x.zip") == 1
    assert "x.zip" in capsys.readouterr().err


def test_missing_dataset_is_named(tmp_path, capsys):
    assert run(tmp_path / "none.msgpack") == 1
    assert "none.msgpack" in capsys.readouterr().err


@pytest.mark.parametrize("face", ["--sync", "--async"])
def test_too_many_columns_are_told_with_options_of_the_command(tmp_path, capsys, face):
    path = tmp_path / "x.msgpack"
    with FileWriter(path, disable=True) as writer:
        for i in range(100):
            writer.write({"key": f"{i}", **{f"f{i}_{j}": j for j in range(50)}})
    assert run(str(path), face, "--epochs", "1") == 1
    error = capsys.readouterr().err
    assert f"{path} has more different field names in a batch" in error
    for options in ["--samples", "--raw", "--columns=f0_1", "--batch-size=50"]:
        assert options.partition("=")[0] in error
        assert run(str(path), face, "--epochs", "1", options) == 0


@pytest.mark.parametrize("option", [["--raw"], ["--samples"]], ids=" ".join)
def test_columns_exclude_what_has_no_columns(dataset, option, capsys):
    assert run(dataset, "--columns", "label", *option) == 1
    assert "--columns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4096", 4096),
        ("64MiB", 64 << 20),
        ("64mb", 64 << 20),
        ("1.5k", 1536),
        ("2 G", 2 << 30),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_have_units(text, value):
    assert bench.size(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (bench.size, "-1"),
        (bench.size, "64 apples"),
        (bench.positive, "0"),
        (bench.positive, "1.5"),
        (bench.seconds, "0"),
        (bench.seconds, "nan"),
        (bench.seconds, "soon"),
        (bench.names, " , "),
    ],
)
def test_senseless_option_values_are_refused(parse, text):
    with pytest.raises(argparse.ArgumentTypeError):
        parse(text)


def test_plain_reads_count_the_whole_file(dataset):
    size = dataset.stat().st_size
    timing = _measure.preadv_rate(dataset, 10_000, Meter(bar(), epochs=3))
    assert timing.count == 3 * size
    assert timing.rate > 0


def test_time_bound_stops_inside_a_pass(dataset):
    timing = _measure.preadv_rate(dataset, 4096, Meter(bar(), seconds=1e-9))
    assert 0 < timing.count <= 4096


def test_empty_input_ends_after_one_pass(tmp_path):
    (tmp_path / "empty").touch()
    assert _measure.preadv_rate(tmp_path / "empty", 4096, Meter(bar())).count == 0


def test_module_runs_as_a_program(dataset, run_python):
    done = run_python("-m", "ddfast.commands.bench", str(dataset), "--epochs", "1", "--json")
    assert json.loads(done.stdout)["samples"] == N
    assert done.stderr == ""
