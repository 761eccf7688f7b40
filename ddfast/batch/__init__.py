"""Batches: samples in order, and the same samples as typed columns.

The kind of a column
--------------------

A column holds one field of all samples of a batch. Its kind depends only on the values:

========================================  ===========  ==================================================
values                                    kind         ``batch[name]``
========================================  ===========  ==================================================
int, all fit int64                        int64        array of shape ``(n,)``
int, some above int64, none negative      uint64       array of shape ``(n,)``
float                                     float64      array of shape ``(n,)``
float and int, every int exact as float   float64      array of shape ``(n,)``
bool                                      bool         array of shape ``(n,)``
complex                                   complex128   array of shape ``(n,)``
str                                       str          `StrColumn`
bytes                                     bytes        `BytesColumn` of read-only memoryviews, zero-copy
arrays of one dtype and shape             array        array of shape ``(n, *shape)``
numpy scalars of one dtype                array        array of shape ``(n,)``
arrays of different dtypes or shapes      arrays       `ViewsColumn` of read-only arrays, zero-copy
anything else, and any mix not listed     object       `ObjectColumn`, decoded on access
========================================  ===========  ==================================================

A field that is missing or None in a sample becomes an object column with None for that sample. Object columns are
also used for: str or bytes values of 2 GiB and more; arrays and numpy scalars whose dtype is not bool, int, uint, float
(up to 64 bits) or complex (up to 128 bits), or that have more than 31 dimensions; a field that occurs twice in a sample
(the last value is used); and fields whose name is not a str. A sample that is not a map has no fields. If a sample has
a field named ``b"nd"`` or ``b"complex"``, which mark arrays and complex numbers, all columns are object columns.

Arrays of kinds other than ``arrays`` are private to the batch and writable. Every array and view keeps the memory of
the batches that were read together alive; `Batch.copy` copies a few samples, so that this memory can be freed.
"""

from ddfast._native.columns import BytesColumn, Column, ObjectColumn, StrColumn, ViewsColumn
from ddfast.batch.batch import Batch
from ddfast.batch.origin import Origin

__all__ = ["Batch", "BytesColumn", "Column", "ObjectColumn", "Origin", "StrColumn", "ViewsColumn"]
