"""How a batch is shown: its text, a table for notebooks, and why it has no columns."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ddfast.batch.empty import ColumnKind

__all__ = ["batch_html", "batch_text", "too_many_fields"]

MAX_SHOWN_COLUMNS = 12


def batch_text(count: int, kinds: Mapping[Any, ColumnKind]) -> str:
    """The ``repr`` of a batch of `count` samples."""
    shown = [f"{name} {_kind(kind)}" for name, kind in list(kinds.items())[:MAX_SHOWN_COLUMNS]]
    if len(kinds) > MAX_SHOWN_COLUMNS:
        shown.append(f"{len(kinds) - MAX_SHOWN_COLUMNS} more")
    return f"Batch({count} samples: {', '.join(shown) or 'no columns'})"


def batch_html(
    count: int, size: int, kinds: Mapping[Any, ColumnKind], values: Callable[[Any], Iterable[Any]]
) -> str:
    """Columns, their kinds and first values, which `values` returns for a name; `size` is that of all samples."""
    rows = (
        (name, _kind(kind), ", ".join(repr(value)[:40] for value in values(name)))
        for name, kind in kinds.items()
    )
    cells = "".join(f"<tr>{''.join(f'<td>{html.escape(str(c))}</td>' for c in row)}</tr>" for row in rows)
    head = "<tr><th>column</th><th>kind</th><th>first values</th></tr>"
    return f"<p>{count} samples, {size:,} bytes</p><table>{head}{cells}</table>"


def too_many_fields(count: int) -> str:
    """Why a batch of `count` samples has no columns, and what to do."""
    return (
        f"the {count:,} samples of a batch have more different fields than a batch has columns: 4,096, or fewer if "
        "most samples lack them. Choose columns=[...], use smaller batches, or use the samples"
    )


def _kind(kind: ColumnKind) -> str:
    name, dtype, shape = kind
    return f"{dtype}{list(shape) or ''}" if name == "array" else name
