"""LabelMe's XML: what is read, what is refused, and that nothing changes on the way out."""

from __future__ import annotations

from ddfast.testing.formats import FormatTests


class TestLabelMe(FormatTests):
    format = "label_me"
