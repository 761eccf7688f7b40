"""Makes COCO files of the size of train2017 and val2017: random, but shaped like the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

TRAIN = (118_287, 860_001)
VAL = (5_000, 36_000)


def write_coco(path: Path, images: int, annotations: int, seed: int = 0) -> None:
    """Write an ``instances`` file.

    80 categories with gaps in their numbers; polygons with 25 corners in the mean, 10% of them in two or more parts; 1%
    crowds with RLE; coordinates with two decimals, areas with all.

    Parameters:
        path: of the file.
        images: number of images.
        annotations: number of annotations.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    categories = np.sort(random.choice(np.arange(1, 91), 80, replace=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write(
            '{"info": {"description": "made for benchmarks", "year": 2017}, "licenses": [], "images": ['
        )
        ids = random.permutation(600_000)[:images]
        sizes = random.integers(300, 641, (images, 2))
        for number, (image, (height, width)) in enumerate(zip(ids.tolist(), sizes.tolist(), strict=True)):
            record = {
                "license": 3, "file_name": f"{image:012}.jpg", "coco_url": f"http://images.example.org/{image:012}.jpg",
                "height": height, "width": width, "date_captured": "2013-11-14 17:02:52",
                "flickr_url": f"http://farm.example.org/{image:010}_z.jpg", "id": image,
            }  # fmt: skip
            file.write((", " if number else "") + json.dumps(record))
        file.write('], "annotations": [')
        _write_annotations(file, random, ids, sizes, categories, annotations)
        names = [
            {"supercategory": f"group {i // 10}", "id": int(c), "name": f"class {c}"}
            for i, c in enumerate(categories)
        ]
        file.write('], "categories": ' + json.dumps(names) + "}")


def _write_annotations(file, random, ids, sizes, categories, count: int) -> None:  # type: ignore[no-untyped-def]
    owners = random.integers(0, len(ids), count)
    kinds = categories[random.integers(0, len(categories), count)].tolist()
    crowds = (random.random(count) < 0.01).tolist()
    several = (random.random(count) < 0.1).tolist()
    corners = np.minimum(4 + random.exponential(20, count), 400).astype(int).tolist()
    for number, owner in enumerate(owners.tolist()):
        height, width = sizes[owner].tolist()
        polygons = _polygons(random, height, width, corners[number], 1 + 2 * several[number])
        points = np.concatenate(polygons).reshape(-1, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        box = np.round([*low, *(high - low)], 2).tolist()
        if crowds[number]:
            cut = int(random.integers(1, height * width - 1))
            segmentation: object = {"counts": [cut, 1, height * width - cut - 1], "size": [height, width]}
        else:
            segmentation = [polygon.tolist() for polygon in polygons]
        record = {
            "segmentation": segmentation, "area": float(box[2] * box[3] * random.uniform(0.4, 0.8)),
            "iscrowd": int(crowds[number]), "image_id": int(ids[owner]), "bbox": box,
            "category_id": kinds[number], "id": 1000 + number * 2,
        }  # fmt: skip
        file.write((", " if number else "") + json.dumps(record))


def _polygons(random, height: int, width: int, corners: int, parts: int) -> list[np.ndarray]:  # type: ignore[no-untyped-def,type-arg]
    found = []
    for _ in range(parts):
        count = max(3, corners // parts)
        angle = np.sort(random.random(count)) * 2 * np.pi
        radius = random.uniform(0.3, 1, count) * random.uniform(5, min(height, width) / 3)
        centre = random.uniform(0.2, 0.8, 2) * [width, height]
        points = centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        found.append(np.round(np.clip(points, 0, [width, height]), 2).reshape(-1))
    return found
