"""Augments: readers with the samples of another one in another order, in part, or several times."""

from ddfast.reader.augment.base import Augment
from ddfast.reader.augment.quasi import QuasiShuffler
from ddfast.reader.augment.range import Range
from ddfast.reader.augment.repeat import Cycler, Repeater
from ddfast.reader.augment.shuffler import Shuffler

__all__ = ["Augment", "Cycler", "QuasiShuffler", "Range", "Repeater", "Shuffler"]
