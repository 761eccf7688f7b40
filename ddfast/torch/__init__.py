"""Datasets for PyTorch's DataLoader."""

from ddfast.torch.batches import BatchDataset
from ddfast.torch.compose import Compose
from ddfast.torch.dataset import Dataset, DatasetBase, IterableDataset, dict2tuple, no_rng
from ddfast.torch.images import CompressedToPIL

__all__ = [
    "BatchDataset",
    "Compose",
    "CompressedToPIL",
    "Dataset",
    "DatasetBase",
    "IterableDataset",
    "dict2tuple",
    "no_rng",
]
