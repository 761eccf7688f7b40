"""Batches: samples in order, and the same samples as typed columns."""

from ddfast.batch.batch import Batch, BytesColumn, Column, ObjectColumn, Origin, StrColumn, ViewsColumn

__all__ = ["Batch", "BytesColumn", "Column", "ObjectColumn", "Origin", "StrColumn", "ViewsColumn"]
