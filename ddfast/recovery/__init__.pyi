from .salvage import Salvage
from .search import LostSamples
from .unfinished import UnfinishedDataset, discard_unfinished, find_unfinished, finish_unfinished

__all__ = [
    "LostSamples",
    "Salvage",
    "UnfinishedDataset",
    "discard_unfinished",
    "find_unfinished",
    "finish_unfinished",
]
