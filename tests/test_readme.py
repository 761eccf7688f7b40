"""README does what it says."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_every_python_block_of_readme_runs_in_order(run_python):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        done = run_python("-W", "error", "-c", block)
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_readme_has_the_two_commands_that_do_all_the_set_up():
    commands = re.findall(r"^python3 -m venv .*$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [command.rpartition("/")[2] for command in commands] == ["ddfast-bench", "pytest"]
