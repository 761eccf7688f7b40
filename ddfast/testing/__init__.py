"""Test suites for readers of your own: subclass one, say how to open the reader, and run pytest. Needs pytest."""

from ddfast.testing.equality import assert_same_sample
from ddfast.testing.reader import ReaderTests

__all__ = ["ReaderTests", "assert_same_sample"]
