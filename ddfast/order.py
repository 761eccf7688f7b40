"""The order of the samples of an epoch, and the part of it that each rank reads."""

from ddfast.dataset.positions import (
    check_positions,
)
from ddfast.loading.order import (
    Order,
    Part,
    Shuffle,
    epoch_order,
    listed_order,
)

__all__ = [
    "Order",
    "Part",
    "Shuffle",
    "check_positions",
    "epoch_order",
    "listed_order",
]
