"""Ultralytics' layout as a source: data.yaml, and the images of each subset that it refers to."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from ddfast.errors import FormatError, MissingPackageError
from ddfast.formats.yolo.darknet_source import listed_images
from ddfast.formats.yolo.names import ClassNames
from ddfast.formats.yolo.options import TASKS
from ddfast.formats.yolo.paths import Entry, Files, image_ids, plain_parts

if TYPE_CHECKING:
    from pathlib import Path

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["RESERVED", "UltralyticsSource", "configurations"]

SUBSETS = ("train", "val", "valid", "test", "minival")
REQUIRED = ("train", "val", "valid")

# Keys that are no subsets.
RESERVED = frozenset({
    "path", "names", "nc", "task", "kpt_shape", "kpt_names", "flip_idx", "skeleton", "download", "channels",
    "roboflow", "yaml_file", "colors", "license", "description", "author", "date", "version", "stride", "imgsz",
})  # fmt: skip

HEAD_BYTES = 1 << 20
CLASSES = re.compile(rb"^(['\"]?)(names|nc)\1\s*:", re.MULTILINE)
PLACES = re.compile(rb"^(['\"]?)(train|val|valid|test|path|task)\1\s*:", re.MULTILINE)

USUAL = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def configurations(source: SourceFolder) -> list[str]:
    """The YAML files of a folder that name classes and subsets; of several, those that are nearest to the top."""
    found = []
    for name in [*source.candidates(".yaml"), *source.candidates(".yml")]:
        head = source.head(name, HEAD_BYTES)
        if CLASSES.search(head) and PLACES.search(head):
            found.append(name)
    top = min((name.count("/") for name in found), default=0)
    found = [name for name in found if name.count("/") == top]
    usual = [name for name in found if posixpath.basename(name) in USUAL]
    return usual or found


def loaded(text: str, path: Path) -> dict[str, Any]:
    """A YAML file as dicts, lists and strings: a class called ``no`` or ``1`` is text, too.

    Raises:
        FormatError: it is no YAML, or no map.
        MissingPackageError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingPackageError(
            "Reading data.yaml needs PyYAML: pip install 'ddfast[annotated]'"
        ) from error
    try:
        values = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise FormatError(f"{path}{where} is not YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise FormatError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise FormatError(f"{path} is not a map of names and subsets")
    return {key: value for key, value in values.items() if isinstance(key, str)}


class UltralyticsSource:
    """A file such as data.yaml and what it refers to.

    Parameters:
        source: the folder.
        report: for problems and notes.

    Raises:
        FormatError: there is no such file, several, or it is no YAML.
    """

    def __init__(self, source: SourceFolder, report: Report) -> None:
        found = configurations(source)
        if len(found) != 1:
            which = f"several files with subsets ({', '.join(found)}): name one" if found else "no data.yaml"
            raise FormatError(f"{source} has {which}")
        self.files = Files(source)
        self._source = source
        self._report = report
        self.path = source.path(found[0])
        self._folder = found[0].rpartition("/")[0]
        self.values = loaded(source.text(found[0]), self.path)
        base = self.values.get("path")
        inner = (
            self.files.find(base, self._folder, self.files.folders)
            if isinstance(base, str) and base
            else None
        )
        self._base = self._folder if inner is None else inner

    def _wrong(self, field: str, text: str) -> FormatError:
        return FormatError(f"{self.path}, field {field!r}: {text}")

    @property
    def task(self) -> str:
        """What the file says about the meaning of rows, or ``"auto"``."""
        if self.values.get("kpt_shape"):
            return "pose"
        task = self.values.get("task")
        return task if task in TASKS else "auto"

    def names(self) -> ClassNames:
        """The classes, from a list, a map with gaps, or their number alone.

        Raises:
            FormatError: there are none, or they make no sense.
        """
        names = self.values.get("names")
        if isinstance(names, list):
            names = {str(number): name for number, name in enumerate(names)}
        if names is None and "nc" in self.values:
            names = {
                str(number): f"class_{number}" for number in range(self._integer("nc", self.values["nc"]))
            }
        if not isinstance(names, dict):
            raise self._wrong("names", "it must be a list of names, or a map of numbers to names")
        found = {}
        for number, name in names.items():
            if not isinstance(name, str):
                raise self._wrong("names", f"the name of class {number[:20]} is a list or map")
            if name:
                found[self._integer("names", number)] = name
        return ClassNames.of(found, self._report)

    def _integer(self, field: str, text: Any) -> int:
        # A list or map is not shown: aliases can make it enormous.
        if not isinstance(text, str) or not text.isdecimal() or len(text) > 6:
            given = repr(text[:20]) if isinstance(text, str) else "a list or map"
            raise self._wrong(field, f"{given} is not a number from 0 to 999,999")
        return int(text)

    def points(self) -> tuple[int, int]:
        """How many points objects have, and how many numbers each point.

        Raises:
            FormatError: the file does not say it.
        """
        shape = self.values.get("kpt_shape")
        if not isinstance(shape, list) or len(shape) != 2 or shape[1] not in ("2", "3"):
            raise self._wrong("kpt_shape", "it must be a list of the number of points, and 2 or 3")
        count = self._integer("kpt_shape", shape[0])
        if not count:
            raise self._wrong("kpt_shape", "objects have no points")
        return count, int(shape[1])

    def point_names(self) -> dict[int, list[str]]:
        """Names of points by class, as far as the file has them."""
        names = self.values.get("kpt_names")
        if not isinstance(names, dict):
            return {}
        count = self.points()[0]
        return {
            int(number): listed
            for number, listed in names.items()
            if number.isdecimal()
            and len(number) <= 6
            and isinstance(listed, list)
            and len(listed) == count
            and all(isinstance(name, str) for name in listed)
        }

    def subsets(self) -> list[tuple[str, list[str]]]:
        """Name of each subset and the paths of its images, which may be missing if they are listed."""
        found = []
        for key, value in self.values.items():
            values = value if isinstance(value, list) else [value]
            if key in RESERVED or not value or not all(isinstance(one, str) for one in values):
                continue
            paths: list[str] = []
            for one in filter(None, values):
                images = self._images(one)
                if images is not None:
                    paths += images
                elif key in REQUIRED:
                    self._report.problem(
                        f"there is no folder or list of images {one!r}", self.path, field=key
                    )
                elif key in SUBSETS:
                    self._report.notes.append(f"{self.path}: subset {key!r} is not there: {one}")
            if paths or key in SUBSETS:
                found.append((key, list(dict.fromkeys(paths))))
        return found

    def _images(self, value: str) -> list[str] | None:
        """The images that a value means: those in a folder or list, or itself; None if there is no such thing."""
        for known in (self.files.folders, self.files.texts, self.files.images):
            name = self.files.find(value, self._base, known)
            if name is None:
                continue
            if known is self.files.folders:
                return self.files.images_in(name)
            return self._listed(name) if known is self.files.texts else [name]
        if posixpath.normpath(value) == ".":
            return self.files.images_in(self._base)
        return None

    def _listed(self, name: str) -> list[str]:
        base = name.rpartition("/")[0]
        return [
            self.files.find(line, base, self.files.images) or "/".join(plain_parts(line))
            for line in listed_images(self._source.text(name))
        ]

    def entries(self) -> list[Entry]:
        """The images of all subsets, with their label files."""
        present = set(self._source.images)
        found = []
        for subset, paths in self.subsets():
            for path, item in zip(paths, image_ids(paths, subset), strict=True):
                found.append(Entry(subset, item, path, path in present, self.files.labels_of(path)))
        return found
