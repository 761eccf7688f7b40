"""The reader of samples in memory, or of samples that are made on request."""

from __future__ import annotations

import builtins
import io
import operator
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ddfast._util.brief import brief
from ddfast._util.iteration import not_at_end
from ddfast.dataset.lookup import bytes_hint
from ddfast.errors import (
    DuplicateKeyError,
    MissingLabelError,
    SampleIndexError,
    SampleKeyError,
    TextFileError,
    UnknownLabelError,
    UnpackableSampleError,
)
from ddfast.loading.on_error import OnError
from ddfast.reader.abc import Reader
from ddfast.reader.contract import SampleForm
from ddfast.reader.error_handling import samples_in_range, without_omitted
from ddfast.tools.msgpack import packb

Sample = dict[str, Any]
Labels = Iterable[Any] | str | os.PathLike[str]

# Number of labels that an error message lists.
MAX_SHOWN = 5


def text_lines(path: str | os.PathLike[str]) -> Iterator[str]:
    """Lines of a text file in UTF-8. All usual line ends are recognised and become ``"\\n"``.

    Raises:
        TextFileError: the file is not UTF-8.
    """
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise TextFileError(
            f"{os.fspath(path)} is not UTF-8 text: byte 0x{error.object[error.start]:02x} in line {line:,}. Convert "
            "it, for example with `iconv -f LATIN1 -t UTF-8`."
        ) from error
    return io.StringIO(text, newline=None)


def load_lines(path: str | os.PathLike[str]) -> list[str]:
    """Lines of a text file in UTF-8, without leading and trailing spaces.

    Raises:
        TextFileError: the file is not UTF-8.
    """
    return [line.strip("\n ") for line in text_lines(path)]


def sorted_labels(samples: Iterable[Sample]) -> list[Any]:
    """All labels of samples, each once, in natural order: ``a2`` before ``a10``.

    Raises:
        MissingLabelError: a label is None.
    """
    from natsort import natsorted

    labels: dict[Any, tuple[int, Sample]] = {}
    for i, sample in enumerate(samples):
        if "label" in sample:
            labels.setdefault(sample["label"], (i, sample))
    if None in labels:
        i, sample = labels[None]
        raise MissingLabelError(
            f"{_name(i, sample)} has None as label, which cannot be sorted. Pass `labels` that include None, or give "
            "every sample a label: by {LABEL} in a pattern, or by a second column in a list of files."
        )
    return list(natsorted(labels))


def noop(_: Any) -> None:
    """Do nothing."""


class ListReader(Reader):
    """Reads samples from a sequence, and can load or convert their fields on request.

    Two fields have a meaning: ``"key"`` identifies a sample; if it is missing, it is set to the index of the sample, in
    the given sample itself. ``"label"`` is optional; with `numeric_labels` it is replaced by its index in `labels`, and
    ``"_label"`` is set to the label itself.

    Parameters:
        samples: sequence of samples.
        labels: labels in the order of their numbers, or the path of a text file with one label per line. None for the
            labels of all samples in natural order; none of them may be None.
        numeric_labels: replace labels by numbers.
        initfun: changes each of the given samples once, in place, when the reader is created.
        convertfun: changes a shallow copy of a sample, in place, each time before it is returned.
        on_error: how iteration, slices and batches handle damaged samples, see `ddfast.policy`. Exceptions of
            `convertfun` are raised, unless they are among the errors that `ddfast.policy` lists.

    Raises:
        DuplicateKeyError: two samples have the same key.
        MissingLabelError: a label is None, and `labels` is not given.

    Attributes:
        labels: all labels, in order.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: Labels | None = None,
        numeric_labels: bool = True,
        initfun: Callable[[Sample], Any] = noop,
        convertfun: Callable[[Sample], Any] = noop,
        *,
        on_error: OnError = "raise",
    ) -> None:
        super().__init__(on_error=on_error)
        self._samples = samples
        self._convertfun = convertfun
        self._index = _index_keys(samples, initfun)
        self.labels = _all_labels(labels, samples)
        self._numeric_labels = numeric_labels
        if numeric_labels:
            # Labels from files and folders are strings, given labels can be of any type: both are found.
            self._label_index: dict[Any, int] = {str(label): i for i, label in enumerate(self.labels)}
            self._label_index.update((label, i) for i, label in enumerate(self.labels))

    def close(self) -> None:
        """Close all files. They are opened again when the reader is used."""

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._samples)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,} samples>"

    def __contains__(self, key: object) -> bool:
        try:
            return key in self._index
        except TypeError:  # it is not hashable
            return False

    def find_key(self, index: int) -> Any:
        return self._samples[self._position(index)]["key"]

    def find_index(self, key: Any) -> int:
        try:
            return self._index[key]
        except (KeyError, TypeError):
            raise SampleKeyError(f"{self!r} has no sample with key {brief(key)}{bytes_hint(key)}") from None

    def _position(self, index: int) -> int:
        n = len(self._samples)
        position = operator.index(index)
        if not -n <= position < n:
            raise SampleIndexError(f"index {index} out of range for length {n} reader")
        return position % n

    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        position = self._position(index)
        sample = dict(self._samples[position])
        if self._numeric_labels and "label" in sample:
            sample["_label"] = sample["label"]
            sample["label"] = self._number(position, sample)
        not_at_end(self._convert, sample)
        result = _pack(position, sample) if raw else sample
        return (sample["key"], result) if yield_key else result

    def _convert(self, sample: Sample) -> None:
        """Change a copy of a sample into the result for it; readers of files load the file here."""
        self._convertfun(sample)

    def _number(self, position: int, sample: Sample) -> int:
        try:
            return self._label_index[sample["label"]]
        except KeyError:
            labels = list(self.labels)
            shown = ", ".join(map(repr, labels[:MAX_SHOWN])) + (", ..." if len(labels) > MAX_SHOWN else "")
            raise UnknownLabelError(
                f"{_name(position, sample)} has label {sample['label']!r}, which is not among the {len(labels):,} "
                f"`labels` of the reader ({shown})"
            ) from None

    def slice(
        self,
        start: int,
        stop: int | None = None,
        yield_key: bool = False,
        raw: bool = False,
        copy: bool = True,
    ) -> Iterator[Any]:
        start, stop, _ = builtins.slice(start, stop).indices(len(self))
        return without_omitted(samples_in_range(self, start, stop, SampleForm(yield_key, raw, copy), 1))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        for index in range(start, stop):
            yield self.get(index, yield_key, raw, copy)


def _index_keys(samples: Sequence[Sample], initfun: Callable[[Sample], Any]) -> dict[Any, int]:
    """Initialise samples, set missing keys to the index, and return the index of each key."""
    index: dict[Any, int] = {}
    for i, sample in enumerate(samples):
        initfun(sample)
        key = sample.get("key", i)
        first = index.setdefault(key, i)
        if first != i:
            raise DuplicateKeyError(f"duplicate key {brief(key)}: samples {first} and {i} have it")
        sample["key"] = key
    return index


def _all_labels(labels: Labels | None, samples: Sequence[Sample]) -> Collection[Any]:
    if isinstance(labels, str | os.PathLike):
        return load_lines(labels)
    if not labels:
        return sorted_labels(samples)
    return labels if isinstance(labels, Collection) else list(labels)


def _pack(position: int, sample: Sample) -> bytes:
    try:
        return packb(sample)
    except (TypeError, OverflowError, ValueError) as error:
        field = next((name for name in sample if not _packs({name: sample[name]})), None)
        raise UnpackableSampleError(
            f"{_name(position, sample)}, field {field!r}, cannot be packed: {error}. Convert it in "
            "`convertfun` to a type of msgpack or numpy, or read samples without `raw`."
        ) from error


def _packs(value: Any) -> bool:
    try:
        packb(value)
    except (TypeError, OverflowError, ValueError):
        return False
    return True


def _name(position: int, sample: Sample) -> str:
    return f"sample {position} ({brief(sample.get('key', position))})"
