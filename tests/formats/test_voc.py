"""Pascal VOC: what is read, what is written, and what other tools write."""

from __future__ import annotations

from ddfast.testing.formats import FormatTests


class TestVoc(FormatTests):
    format = "voc"


class TestVocDetection(FormatTests):
    format = "voc_detection"


class TestVocSegmentation(FormatTests):
    format = "voc_segmentation"


class TestVocClassification(FormatTests):
    format = "voc_classification"


class TestVocAction(FormatTests):
    format = "voc_action"


class TestVocLayout(FormatTests):
    format = "voc_layout"
