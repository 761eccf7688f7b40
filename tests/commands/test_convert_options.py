"""Options of formats as flags of ddfast-convert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddfast.annotated import Dataset, DatasetItem, Label
from ddfast.commands import _run, convert


@pytest.fixture
def source(tmp_path: Path) -> Path:
    items = [DatasetItem("1", [Label(0)], subset="fold1", image=np.zeros((4, 6, 3), np.uint8))]
    Dataset.from_iterable(items, ["cat"]).export(tmp_path / "source", "imagenet")
    return tmp_path / "source"


def written(source: Path, *flags: str) -> list[str]:
    target = source.parent / "target"
    argv = [str(source), str(target), "--from", "imagenet", "--to", "imagenet", "--quiet", *flags]
    assert _run.run(convert, "ddfast-convert", argv) == 0
    return [path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()]


def test_options_that_are_true_false_or_neither(source: Path) -> None:
    assert written(source, "--subset-dirs") == ["fold1/cat/1.png"]


def test_an_option_of_both_formats(source: Path) -> None:
    assert written(source, "--subset-dirs", "--no-to-subset-dirs") == ["cat/1.png"]
