"""Messages that the errors of several kinds of datasets share."""

from __future__ import annotations

__all__ = ["RESTORE"]

RESTORE = "Restore the data file from a copy, or write the dataset again."
