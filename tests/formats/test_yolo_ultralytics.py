"""Ultralytics' YOLO: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ddfast.annotated import Annotation, Bbox, Dataset, Points
from ddfast.testing.formats import FormatTests


class TestDetect(FormatTests):
    format = "yolo_ultralytics"

    @property
    def types(self) -> list[str]:
        return ["bbox"]


class TestSegment(TestDetect):
    @property
    def types(self) -> list[str]:
        return ["polygon"]


class TestPose(TestDetect):
    @property
    def types(self) -> list[str]:
        return ["points"]


class TestRotatedBoxes(TestDetect):
    def annotations(self, number: int) -> list[Annotation]:
        return [Bbox(20, 15, 20, 10, label=number % 4, rotation=30), Bbox(1, 2, 3, 4, label=1)]


class TestClassify(TestDetect):
    one_label: ClassVar[bool] = True
    names = ("cat/plain", "dog/with.dots.v2", "a person/inner/name", "Ärger/with space", "cat/日本語/ü")

    @property
    def types(self) -> list[str]:
        return ["label"]
