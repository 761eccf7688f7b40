"""Augments: readers whose samples come in another order, in part, or several times."""

from ddfast.reader.augment.base import Augment
from ddfast.reader.augment.parts import Cycler, Range, Repeater
from ddfast.reader.augment.quasi import QuasiShuffler
from ddfast.reader.augment.shuffler import Shuffler

__all__ = ["Augment", "Cycler", "QuasiShuffler", "Range", "Repeater", "Shuffler"]
