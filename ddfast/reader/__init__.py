"""Readers of datasets, and augments of readers."""

from ddfast.reader.abc import Reader
from ddfast.reader.augment import Augment, Cycler, QuasiShuffler, Range, Repeater, Shuffler
from ddfast.reader.msgpack import MsgpackReader

__all__ = ["Augment", "Cycler", "MsgpackReader", "QuasiShuffler", "Range", "Reader", "Repeater", "Shuffler"]
