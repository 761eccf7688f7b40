"""``dataset_meta.json``: the labels of a dataset in formats that have no list of them, as Datumaro writes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ddfast.annotated.checks import shown
from ddfast.formats.json_file import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["META_FILE", "labels_text", "read_labels"]

META_FILE = "dataset_meta.json"


def read_labels(source: SourceFolder, report: Report) -> list[str]:
    """Names of the labels in their order; empty if there is no file, or it has no labels."""
    if META_FILE not in source.files:
        return []
    path = source.path(META_FILE)
    form = parse_json(path.read_bytes(), path, report)
    if not isinstance(form, dict):
        return []
    numbered = form.get("label_map", {})
    labels = form.get("labels") or (list(numbered.values()) if isinstance(numbered, dict) else numbered)
    if not isinstance(labels, list) or not all(isinstance(name, str) and name for name in labels):
        report.problem(f"it is {shown(labels)}; it must be a list of names", path, field="labels")
        return []
    return list(dict.fromkeys(labels))


def labels_text(labels: Iterable[str]) -> str:
    """The content of the file."""
    return json.dumps({"labels": list(labels)}, ensure_ascii=False, indent=2) + "\n"
