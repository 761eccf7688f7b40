"""The command ddfast, which lists and runs the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from datasets import beside

import ddfast
from ddfast import FileWriter
from ddfast.commands import __main__ as command
from ddfast.commands import _run


def test_alone_it_lists_every_command_with_a_summary(capsys):
    assert command.main([]) == 0
    text = capsys.readouterr().out
    for name, summary in command.summaries().items():
        assert summary.endswith(".")
        assert f"{name}  " in text
        assert summary in text


def test_private_modules_are_no_commands():
    assert "bench" in command.summaries()
    assert not [name for name in command.summaries() if name.startswith("_")]


def test_listing_imports_no_command(run_python):
    done = run_python(
        "-c", "import sys; from ddfast.commands.__main__ import main; main([]); print(*sys.modules)"
    )
    assert done.returncode == 0
    assert "ddfast.commands.bench" not in done.stdout.split()


def test_unknown_command_lists_those_there_are(capsys):
    assert command.main(["nope"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "unknown command 'nope'" in captured.err
    assert "bench" in captured.err


def test_arguments_go_to_the_command(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["bench", "--help"])
    assert end.value.code == 0
    assert "usage: ddfast bench" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_that_of_the_package(option, capsys):
    assert command.main([option]) == 0
    assert capsys.readouterr().out == f"ddfast {ddfast.__version__}\n"


@pytest.mark.parametrize("name", command.summaries())
def test_every_command_explains_itself_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        command.main([name, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: ddfast {name}" in text
    assert f"\n  ddfast {name} " in text


@pytest.mark.parametrize("name", command.summaries())
def test_every_command_runs_as_a_module(name, run_python):
    done = run_python("-m", f"ddfast.commands.{name.replace('-', '_')}", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: ddfast-{name} ")


@pytest.mark.parametrize("name", command.summaries())
def test_every_command_has_a_script_of_its_own(name):
    scripts = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'ddfast-{name} = "ddfast.commands.{name.replace("-", "_")}:entry"' in scripts


@pytest.mark.parametrize("module", ["ddfast", "ddfast.commands"])
def test_package_runs_as_a_program(module, run_python):
    done = run_python("-m", module)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ddfast COMMAND")


@pytest.mark.parametrize("arguments", [[], ["bench", "--help"]], ids=str)
def test_reader_of_the_output_may_leave_early(arguments, run_python):
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = run_python("-m", "ddfast", *arguments, stdout=write_end)
    finally:
        os.close(write_end)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, ""),
        (ValueError("a reason"), 1, "ddfast: a reason\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "ddfast: [Errno 2] No such file: 'x'\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_expected_failures_are_one_line(error, code, message, capsys):
    def fail() -> int:
        raise error

    assert _run.guarded("ddfast", fail) == code
    assert capsys.readouterr().err == message


def test_programming_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        _run.guarded("ddfast", lambda: 1 // 0)


@pytest.mark.parametrize("call", ["info", "verify", "cat", "cat --keys"])
def test_names_in_a_file_do_not_control_the_terminal(tmp_path, capsys, call):
    path = tmp_path / "x"
    bell = "\x1b[2J\x07\x9b"
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": f"a{bell}", f"field{bell}": f"b{bell}"})
    with beside(path, ".md5").open("a") as file:
        file.write(f"{'0' * 32}  {bell}\n")
    name, *options = call.split()
    command.main([name, *options, str(path)])
    out = capsys.readouterr().out
    assert not set(out) & set(bell[0] + bell[4:]), ascii(out)
    assert "x1b[2J" in out


def test_errors_do_not_control_the_terminal(tmp_path, capsys):
    assert command.main(["info", str(tmp_path / "\x1b[31m")]) == 1
    assert "\x1b" not in capsys.readouterr().err
