"""What was changed in shapes so that YOLO can hold them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Changes:
    """Counts of shapes that are written in another form.

    Attributes:
        cut: kinds of shapes that reached beyond their image, and how many.
        vanished: polygons of which nothing was left.
        joined: polygons of several parts that became one.
        masks: that became polygons.
        nameless: points of skeletons with names that their label does not have.
        overlap: the least intersection over union of a mask and its polygon.
    """

    cut: Counter[str] = field(default_factory=Counter)
    vanished: int = 0
    joined: int = 0
    masks: int = 0
    nameless: int = 0
    overlap: float = 1.0

    def notes(self) -> list[str]:
        """The counts as sentences."""
        found = [
            f"{count:,} {what} reached beyond their image: points outside are written as absent"
            if what == "points"
            else f"{count:,} {what} reached beyond their image and were cut at its sides"
            for what, count in self.cut.items()
            if count
        ]
        if self.masks:
            found.append(
                f"{self.masks:,} masks became polygons: the least intersection over union is {self.overlap:.4f}"
            )
        if self.joined:
            found.append(
                f"{self.joined:,} polygons of several parts became one each, with bridges without area"
            )
        if self.nameless:
            found.append(
                f"{self.nameless:,} points of skeletons have names that their label lacks: they were left out"
            )
        if self.vanished:
            found.append(f"{self.vanished:,} polygons have no area in their image and were left out")
        return found
