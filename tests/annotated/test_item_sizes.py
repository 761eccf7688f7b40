"""Sizes of items, from tables and from the headers of images."""

from __future__ import annotations

import numpy as np

from ddfast.annotated import Dataset, DatasetItem, Image
from ddfast.annotated.item_sizes import item_sizes
from ddfast.annotated.pixels import encode


def test_sizes_are_those_of_the_tables_or_of_the_images(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(np.zeros((3, 5, 3), np.uint8), ".png"))
    items = [
        DatasetItem("known", media=Image(path="gone.png", size=(7, 9))),
        DatasetItem("file", media=Image(path=str(tmp_path / "a.png"))),
        DatasetItem("memory", image=np.zeros((2, 4), np.uint8)),
        DatasetItem("nothing"),
    ]
    dataset = Dataset.from_iterable(items)
    assert item_sizes(dataset.tables).tolist() == [[7, 9], [3, 5], [2, 4], [0, 0]]
