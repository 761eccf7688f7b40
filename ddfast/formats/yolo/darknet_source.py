"""Darknet's layout as a source: obj.data, the list of images of each subset, and the names of classes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ddfast.annotated.paths import image_extension
from ddfast.errors import FormatError
from ddfast.formats.yolo.names import ClassNames
from ddfast.formats.yolo.paths import Entry, Files, image_ids, plain_parts

if TYPE_CHECKING:
    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["RESERVED", "DarknetSource", "data_files", "listed_images"]

# Keys that are no subsets: the first three as Datumaro has it, and others that Darknet knows.
RESERVED = frozenset({"backup", "classes", "names"})
OPTIONS = frozenset({"eval", "results", "top", "labels", "tree", "map", "difficult", "leaves", "underscore"})

SUBSETS = ("train", "valid", "test", "val")

LINE = re.compile(r"\s*([^#=\s][^=]*?)\s*=\s*(.*?)\s*")
HEAD = re.compile(rb"^\s*(names|train|valid)\s*=", re.MULTILINE)


def data_files(source: SourceFolder) -> list[str]:
    """The files of a folder that say where subsets and names are."""
    return [name for name in source.candidates(".data") if HEAD.search(source.head(name))]


def listed_images(text: str) -> list[str]:
    """The paths in a list of images, each once; empty lines are none."""
    return list(dict.fromkeys(line for line in map(str.strip, text.split("\n")) if line))


class DarknetSource:
    """A file such as obj.data and what it refers to.

    Parameters:
        source: the folder.
        report: for problems and notes.

    Raises:
        FormatError: there is no such file, or several.
    """

    def __init__(self, source: SourceFolder, report: Report) -> None:
        found = data_files(source)
        if len(found) != 1:
            which = (
                f"several files with subsets ({', '.join(found)}): name one"
                if found
                else "no file such as obj.data"
            )
            raise FormatError(f"{source} has {which}")
        self.files = Files(source)
        self._source = source
        self._report = report
        self._path = source.path(found[0])
        self._base = found[0].rpartition("/")[0]
        matches = map(LINE.fullmatch, source.text(found[0]).splitlines())
        self._values = {match[1]: match[2] for match in matches if match}

    def names(self) -> ClassNames:
        """The classes: the line in the file of names is the number; empty lines name no class.

        Raises:
            FormatError: there is no file of names.
        """
        value = self._values.get("names", "")
        found = self.files.find(value, self._base, self.files.all) if value else None
        if found is None:
            raise FormatError(
                f"{self._path}, field 'names': there is no file {value!r} with the names of classes"
            )
        lines = enumerate(map(str.strip, self._source.text(found).split("\n")))
        return ClassNames.of({number: name for number, name in lines if name}, self._report)

    def entries(self) -> list[Entry]:
        """The images of all subsets."""
        found: list[Entry] = []
        for key, value in self._values.items():
            if key in RESERVED or (key in OPTIONS and not value.endswith(".txt")):
                continue
            name = self.files.find(value, self._base, self.files.texts)
            if name is not None:
                found += self._subset(key, name)
            elif key in SUBSETS or value.endswith(".txt"):
                self._report.problem(f"there is no list of images {value!r}", self._path, field=key)
        return found

    def _subset(self, subset: str, name: str) -> list[Entry]:
        base = name.rpartition("/")[0]
        paths, known = [], []
        for line in listed_images(self._source.text(name)):
            found = self.files.find(line, base, self.files.images)
            paths.append(found or self._missing(line, base))
            known.append(found is not None)
        entries = []
        for path, exists, item in zip(paths, known, image_ids(paths, subset), strict=True):
            labels = self.files.labels_of(path, beside_first=True)
            entries.append(Entry(subset, item, path, exists, labels))
        return entries

    def _missing(self, line: str, base: str) -> str:
        """The path of an image that is not there: where its label file is, or as it is listed."""
        parts = plain_parts(line)
        extension = image_extension(parts[-1]) if parts else ""
        stem = "/".join(parts)[: -len(extension) or None]
        labels = self.files.find(f"{stem}.txt", base, self.files.texts)
        if labels is not None:
            return labels[: -len(".txt")] + extension
        return "/".join(parts[1:] if parts[0] == "data" and len(parts) > 1 else parts) or line
