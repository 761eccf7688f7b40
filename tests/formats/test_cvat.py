"""CVAT: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

from ddfast.testing.formats import FormatTests


class TestCvat(FormatTests):
    format = "cvat"
