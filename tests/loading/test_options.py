"""Arguments of readers: all constructors take, check and show the same ones."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any

import pytest

import ddfast.policy
import ddfast.stats
from ddfast import AsyncReader, MsgpackReader, Reader
from ddfast.loading.options import ReadArguments, ReadOptions, read_options
from ddfast.reader import ShardedReader

READERS = [MsgpackReader, ShardedReader, AsyncReader]


def text_of(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else str(annotation.__forward_arg__)


def test_arguments_and_options_are_the_same() -> None:
    arguments = {name: text_of(kind) for name, kind in ReadArguments.__annotations__.items()}
    assert arguments.pop("attempts") == arguments["retry"]
    assert arguments == {name: text_of(kind) for name, kind in ReadOptions.__annotations__.items()}
    assert set(ReadOptions._field_defaults) == set(ReadOptions._fields)


@pytest.mark.parametrize("reader", READERS)
def test_signatures_show_all_arguments(reader: type[Any]) -> None:
    parameters = inspect.signature(reader).parameters
    keywords = [p for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert {p.name: p.default for p in keywords} == ReadOptions._field_defaults
    assert {p.kind for p in parameters.values()} <= {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }


def test_a_subclass_with_a_constructor_of_its_own_has_its_own_signature() -> None:
    class Other(MsgpackReader):
        def __init__(self, number: int) -> None:
            super().__init__(f"{number}.msgpack")

    class Same(MsgpackReader):
        pass

    assert list(inspect.signature(Other).parameters) == ["number"]
    assert inspect.signature(Same) == inspect.signature(MsgpackReader)


def test_batches_of_all_readers_have_one_signature() -> None:
    wanted = inspect.signature(Reader.batches)
    assert "world_size" in wanted.parameters
    assert all(inspect.signature(reader.batches) == wanted for reader in READERS)


@pytest.mark.parametrize("reader", READERS)
def test_unknown_arguments_are_refused(reader: type[Any]) -> None:
    with pytest.raises(
        TypeError, match="readers have no argument 'prefetch'; they have allow_pickle, prefetch_bytes"
    ):
        reader("x.msgpack", prefetch=3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prefetch_bytes": 0}, ValueError, "prefetch_bytes is 0, and must be above 0"),
        ({"queue_depth": "many"}, TypeError, "queue_depth is 'many', not a number"),
        ({"timeout": None}, TypeError, "timeout is None, not a number"),
        ({"io": "poll"}, ValueError, "io is 'poll', not 'auto'"),
        ({"verify": True}, ValueError, "verify is True, not 'sample' or None"),
        ({"columns": "label"}, TypeError, "columns is 'label', not a sequence of names"),
    ],
)
@pytest.mark.parametrize("reader", READERS)
def test_arguments_are_checked_before_files_are_opened(
    reader: type[Any], arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        reader(tmp_path / "missing.msgpack", **arguments)


def test_a_new_name_counts_more_than_a_deprecated_one() -> None:
    with pytest.warns(DeprecationWarning, match="attempts= of readers is deprecated"):
        assert read_options(attempts=None, retry=typing.cast("Any", 3)).retry == 3


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (ddfast.policy, "Policy", "ErrorPolicy"),
        (ddfast.policy, "Source", "SampleSource"),
        (ddfast.stats, "Tally", "Counters"),
        (ddfast.stats, "Counts", "ThreadCounters"),
    ],
)
def test_old_names_are_deprecated(module: Any, old: str, new: str) -> None:
    with pytest.warns(
        DeprecationWarning, match=f"{old} is deprecated, use {module.__name__}.{new}"
    ) as caught:
        assert getattr(module, old) is getattr(module, new)
    assert caught[0].filename == __file__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
