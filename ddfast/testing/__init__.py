"""Test suites for readers, storage and formats of your own: subclass one and define how to open yours. Needs pytest."""

from ddfast.testing.equality import assert_same_sample
from ddfast.testing.faulty import Every, Fault, FaultyStorage
from ddfast.testing.formats import FormatTests
from ddfast.testing.reader import ReaderTests
from ddfast.testing.storage import StorageTests

__all__ = [
    "Every",
    "Fault",
    "FaultyStorage",
    "FormatTests",
    "ReaderTests",
    "StorageTests",
    "assert_same_sample",
]
