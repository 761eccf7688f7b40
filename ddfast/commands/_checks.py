"""The checks of ``ddfast-verify``: digests of all files, the index, and every message of the data file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast.commands._files import SUFFIX_MD5, SUFFIXES, UNLISTED, byte_bar, listed_digests
from ddfast.commands._places import Place
from ddfast.errors import DdfastError, IndexFileError
from ddfast.index import (
    SUFFIX_CHECKSUMS,
    SUFFIX_FILTER,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    check_checksums_size,
    hash_keys,
    legacy_load_index,
    load_checksums,
    load_filter,
    load_key_hashes,
    load_keys,
)
from ddfast.scan import Damage, Run, check_samples, find_samples
from ddfast.tools import hash_md5hex, hash_string, path_append
from ddfast.tools.messages import brief
from ddfast.writer.digest import Digest

# Findings of one kind that are listed; further ones are counted.
SHOWN = 10

RESTORE = "Restore it from a copy, or write the dataset again."
REBUILD = "If the data file is intact, `ddfast index` rebuilds it."
REHASH = "If the data file is intact, `ddfast index --checksums` rebuilds it."


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """An error in a dataset.

    Parameters:
        file: the file with the error.
        problem: what is wrong.
        remedy: what to do.
        sample: index of the affected sample.
        key: its key.
        position: byte position in the file.
        kind: kind of damage of a sample: one of `ddfast.scan.DamageKind`, or ``"key"`` if the keys file has another
            key.
    """

    file: Path | str
    problem: str
    remedy: str
    sample: int | None = None
    key: str | None = None
    position: int | None = None
    kind: str | None = None

    def __str__(self) -> str:
        where = []
        if self.sample is not None:
            where.append(f"sample {self.sample}" + ("" if self.key is None else f" ({brief(self.key)})"))
        if self.position is not None:
            where.append(f"byte {self.position:,}")
        return f"{self.file}: {''.join(f'{place}: ' for place in where)}{self.problem}. {self.remedy}"

    def to_dict(self) -> dict[str, Any]:
        """All fields in a form for JSON."""
        return {**dataclasses.asdict(self), "file": str(self.file)}


class Check:
    """One dataset and the errors found in it.

    Parameters:
        place: location of the dataset.
        quick: skip MD5 digests.

    Attributes:
        path: name of the data file in messages.
        samples: number of samples, according to the index.
        keyless: number of samples without a string under ``"key"``, which only `RawWriter` writes.
        findings: the errors.
        untold: number of further errors that are not in `findings`, by kind.
        damaged: indices of all damaged samples.
    """

    def __init__(self, place: Place, quick: bool = False) -> None:
        self.path = place.name
        self.quick = quick
        self.size = place.size
        self._place = place
        self._base = place.base
        self.samples = 0
        self.keyless = 0
        self.findings: list[Finding] = []
        self.untold: dict[str, int] = {}
        self.damaged: list[int] = []
        self._reported: dict[str, int] = {}
        self._too_long: NDArray[np.uint64] | None = None  # offsets that reach past the end of the data file

    @property
    def sound(self) -> bool:
        """Whether no error was found."""
        return not self.findings

    def run(self) -> Check:
        """Check everything."""
        keys, offsets = self._index()
        digest = self._data(keys, offsets)
        if not self.quick:
            self._digests(digest)
        return self

    def file(self, suffix: str) -> Path:
        """The file whose name is the data file's name with a suffix."""
        return path_append(self._base, suffix)

    def add(self, file: Path, problem: str, remedy: str, group: str = "", **place: Any) -> None:
        """Record an error; from the eleventh of a group on, only count it."""
        group = group or problem
        self._reported[group] = reported = self._reported.get(group, 0) + 1
        if reported <= SHOWN:
            self.findings.append(Finding(self._place.called(file), problem, remedy, **place))
        else:
            self.untold[group] = self.untold.get(group, 0) + 1

    # -- index

    def _index(self) -> tuple[list[str] | None, NDArray[np.uint64] | None]:
        """Keys and offsets; each is None if it cannot be used."""
        if self.file(SUFFIX_LEGACY_INDEX).exists() and not self.file(SUFFIX_OFFSETS).exists():
            return self._legacy_index()
        offsets = self._offsets()
        keys = self._keys()
        if keys is not None and offsets is not None and len(keys) != len(offsets) - 1:
            self.add(
                self.file(SUFFIX_KEYS),
                f"it has {len(keys):,} keys, but the offsets file has {len(offsets) - 1:,} samples",
                REBUILD,
            )
            keys = None
        if offsets is None and self._too_long is not None and len(keys or ()) == len(self._too_long) - 1:
            offsets = self._too_long  # the data file is truncated
        self.samples = len(offsets) - 1 if offsets is not None else len(keys or ())
        if keys is not None and self._keys_differ(keys):
            self._hashes(keys)
            self._filter(keys)
        return keys, offsets

    def _legacy_index(self) -> tuple[list[str] | None, NDArray[np.uint64] | None]:
        try:
            keys, offsets = legacy_load_index(self._base, self.size)
        except DdfastError as error:
            self.add(self.file(SUFFIX_LEGACY_INDEX), _reason(error), REBUILD)
            return None, None
        self.samples = len(keys)
        self._keys_differ(keys)
        return keys, np.array(offsets, np.uint64)

    def _offsets(self) -> NDArray[np.uint64] | None:
        path = self.file(SUFFIX_OFFSETS)
        if path.exists() and not path.is_file():
            self.add(path, "it is not a file", REBUILD)
            return None
        try:
            offsets = np.fromfile(path, ">u8").astype(np.uint64)
        except FileNotFoundError:
            self.add(path, "not found", REBUILD)
            return None
        if not len(offsets) or path.stat().st_size % 8:
            self.add(path, "its size is 0 or not a multiple of 8 bytes", REBUILD)
            return None
        return offsets if self._ends_fit(path, offsets) and self._rising(path, offsets) else None

    def _ends_fit(self, path: Path, offsets: NDArray[np.uint64]) -> bool:
        if offsets[0] != 0:
            self.add(path, f"the first offset is {int(offsets[0]):,}, not 0", REBUILD, position=0)
        if offsets[-1] != self.size:
            end = int(offsets[-1])
            self.add(
                self._base,
                f"it has {self.size:,} bytes, but its samples end at byte {end:,}: it was truncated, or the "
                "offsets belong to another data file",
                RESTORE,
            )
        if offsets[0] == 0 and offsets[-1] > self.size and bool(np.all(offsets[1:] > offsets[:-1])):
            self._too_long = offsets
        return bool(offsets[0] == 0 and offsets[-1] == self.size)

    def _rising(self, path: Path, offsets: NDArray[np.uint64]) -> bool:
        falls = np.flatnonzero(offsets[1:] <= offsets[:-1]).tolist()
        for index in falls:
            self.add(
                path,
                f"it starts at byte {int(offsets[index]):,} and ends at byte {int(offsets[index + 1]):,}",
                REBUILD,
                "samples that do not end after their start",
                sample=index,
                position=8 * (index + 1),
            )
        return not falls

    def _keys(self) -> list[str] | None:
        path = self.file(SUFFIX_KEYS)
        try:
            return list(load_keys(path))
        except (FileNotFoundError, IndexFileError) as error:
            self.add(path, _reason(error), REBUILD)
            return None

    def _keys_differ(self, keys: Sequence[str]) -> bool:
        if len(set(keys)) == len(keys):
            return True
        first: dict[str, int] = {}
        for index, key in enumerate(keys):
            if first.setdefault(key, index) != index:
                problem = f"it has the key of sample {first[key]}"
                self.add(self._base, problem, RESTORE, "keys that are not unique", sample=index, key=key)
        return False

    def _hashes(self, keys: list[str]) -> None:
        path = self.file(SUFFIX_KEY_HASHES)
        try:
            salt, hashes = load_key_hashes(path)
        except (FileNotFoundError, IndexFileError) as error:
            self.add(path, _reason(error), REBUILD)
            return
        expected_salt, expected = hash_keys(keys)
        if salt != expected_salt:  # any salt without collisions is valid
            expected = np.array([hash_string(key, salt) for key in keys], np.uint64)
        if len(hashes) != len(keys):
            self.add(path, f"it has {len(hashes):,} hashes for {len(keys):,} keys", REBUILD)
            return
        for index in np.flatnonzero(hashes != expected).tolist():
            self.add(
                path,
                "the hash does not match the key",
                REBUILD,
                sample=index,
                key=keys[index],
                position=8 * (index + 1),
            )

    def _filter(self, keys: list[str]) -> None:
        path = self.file(SUFFIX_FILTER)
        try:
            bloom = load_filter(path)
        except (FileNotFoundError, IndexFileError) as error:
            self.add(path, _reason(error), REBUILD)
            return
        for index, key in enumerate(keys):
            if key not in bloom:
                self.add(path, "the key is not in the filter", REBUILD, sample=index, key=key)

    def _checksums(self, count: int) -> NDArray[np.uint64] | None:
        """Checksums of all samples; None if they are missing or damaged."""
        path = self.file(SUFFIX_CHECKSUMS)
        try:
            check_checksums_size(path, path.stat().st_size, count)
            return load_checksums(path)
        except FileNotFoundError:
            return None
        except IndexFileError as error:
            self.add(path, _reason(error), REHASH)
            return None

    # -- data

    def _data(self, keys: list[str] | None, offsets: NDArray[np.uint64] | None) -> str:
        """Check all samples. Returns the MD5 of the data file, which is not valid with `quick`."""
        digest = Digest()
        with closing(digest), byte_bar(f"verify {self._base.name}", self.size) as bar:

            def take(data: memoryview) -> None:
                if not self.quick:
                    digest.update([data])
                bar.update(len(data))

            if offsets is None:
                runs = find_samples(self._place.front(), take)
            else:
                sums = self._checksums(len(offsets) - 1)
                runs = check_samples(self._place.front(), offsets[offsets <= self.size], take, sums)
            found = damaged = 0
            for run in runs:
                self._run(run, keys)
                found += len(run)
                damaged += run.damage is not None
            if offsets is None:
                self._count(found, damaged, keys)
            else:
                self._truncated(offsets, keys)
            return digest.hexdigest()

    def _count(self, found: int, damaged: int, keys: list[str] | None) -> None:
        """Compare the number of samples in the data file with the number of keys, if there are no offsets."""
        self.samples = found
        if keys is not None and not damaged and found != len(keys):
            problem = f"it has {len(keys):,} keys, but the data file has {found:,} samples"
            self.add(self.file(SUFFIX_KEYS), problem, REBUILD)

    def _truncated(self, offsets: NDArray[np.uint64], keys: list[str] | None) -> None:
        """Report the samples that are not completely in the data file."""
        whole = int(np.count_nonzero(offsets <= self.size)) - 1
        for index in range(whole, len(offsets) - 1):
            start = int(offsets[index])
            reason = (
                "the file ends within the sample" if start < self.size else "the file ends before the sample"
            )
            self._damage(Damage(index, start, max(start, self.size), reason, "truncated"), keys)

    def _run(self, run: Run, keys: list[str] | None) -> None:
        names = None if keys is None else keys[run.first : run.first + len(run)]
        if run.faults:
            self.keyless += len(run.faults)
        if names is not None and names != run.keys:
            self._other_keys(run, names)
        if run.damage is not None:
            self._damage(run.damage, keys)

    def _damage(self, damage: Damage, keys: list[str] | None) -> None:
        key = keys[damage.index] if keys is not None and damage.index < len(keys) else None
        problem = f"the sample is damaged at its byte {damage.position - damage.start:,}: {damage.reason}"
        if damage.kind == "checksum":
            problem = f"the sample is damaged: {damage.reason}"
        place = {"sample": damage.index, "key": key, "position": damage.position}
        self.damaged.append(damage.index)
        self.add(self._base, problem, RESTORE, "damaged samples", kind=damage.kind, **place)

    def _other_keys(self, run: Run, names: list[str]) -> None:
        for at, (name, key) in enumerate(zip(names, run.keys, strict=False)):
            if key is not None and key != name:
                self.add(
                    self.file(SUFFIX_KEYS),
                    f"the sample has the key {brief(key)}",
                    REBUILD,
                    "samples with another key",
                    sample=run.first + at,
                    key=name,
                    position=int(run.offsets[at]),
                    kind="key",
                )

    # -- digests

    def _digests(self, digest: str) -> None:
        md5 = self.file(SUFFIX_MD5)
        try:
            listed = listed_digests(self._base)
        except IndexFileError as error:
            self.add(md5, _reason(error), REBUILD)
            return
        if listed is None:
            self.add(md5, "not found", REBUILD)
            return
        found = {"": digest}
        for suffix in (*SUFFIXES, SUFFIX_MD5):
            file = self.file(suffix)
            if suffix in listed or (suffix not in UNLISTED and file.exists()):
                found[suffix] = hash_md5hex(file) if file.exists() else ""
        for suffix, each in sorted(found.items()):
            self._digest(suffix, each, listed.get(suffix))
        wrong = any(finding.kind == "checksum" for finding in self.findings)
        if wrong and listed.get("") == digest:
            problem = "its checksums are wrong: the MD5 of the data file is correct"
            self.add(self.file(SUFFIX_CHECKSUMS), problem, REHASH)

    def _digest(self, suffix: str, found: str, listed: str | None) -> None:
        """Compare the digest of a file, empty if it does not exist, with the one in the MD5 file."""
        file, md5 = path_append(self._base, suffix), self.file(SUFFIX_MD5)
        remedy = REBUILD if suffix else RESTORE
        if not found:
            self.add(file, f"not found, but {md5.name} lists it", remedy)
        elif listed is None:
            self.add(md5, f"it does not list {file.name}", remedy)
        elif found != listed:
            self.add(file, f"its MD5 is {found}, but {md5.name} has {listed}", remedy)


def _reason(error: Exception) -> str:
    """The reason in the message of an index file error, without file name and advice."""
    if isinstance(error, FileNotFoundError):
        return "not found"
    text = str(error)
    return (text.partition(" is damaged: ")[2] or text).partition(". ")[0]
