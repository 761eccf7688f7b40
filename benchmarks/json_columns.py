"""Compare reading and writing of a large JSON file of annotations with json, orjson and pysimdjson.

The file is like the instances of COCO: mostly coordinates of polygons. The other packages make Python objects of all of
it, ddfast columns. All sides take turns on one core. Prints medians of megabytes of text per second of processor time.
orjson and pysimdjson take part if they are installed.

Example:
  python benchmarks/json_columns.py --data /tmp/ddfast-data
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from measure import installed, interleaved, machine, machine_line, ratios, warm

from ddfast._native.json_reader import JSONReader, JSONTable
from ddfast._native.json_writer import JSONRecords

SCHEMAS: dict[str, dict[str, Any]] = {
    "images": {"id": "int", "file_name": "string", "height": "int", "width": "int"},
    "annotations": {
        "id": "int", "image_id": "int", "category_id": "int", "iscrowd": "int", "area": "number",
        "bbox": "numbers", "segmentation": "segments",
    },
    "categories": {"id": "int", "name": "string", "supercategory": "string"},
}  # fmt: skip


def coordinates(random: np.random.Generator, n: int) -> str:
    """A list of numbers with two decimals at most."""
    return "[" + ",".join([f"{value:.6g}" for value in np.round(random.random(n) * 640, 2).tolist()]) + "]"


def annotation(random: np.random.Generator, number: int) -> str:
    polygon = coordinates(random, 2 * int(random.integers(5, 60)))
    return (
        f'{{"segmentation": [{polygon}],"area": {random.random() * 9000!r},"iscrowd": 0,'
        f'"image_id": {random.integers(0, 600_000)},"bbox": {coordinates(random, 4)},'
        f'"category_id": {random.integers(1, 91)},"id": {number}}}'
    )


def image(number: int) -> str:
    name = f"{number:012d}.jpg"
    return json.dumps(
        {"file_name": name, "coco_url": f"http://host/{name}", "height": 480, "width": 640, "id": number}
    )


def make(path: Path, size: int) -> None:
    """Write a document of about `size` bytes."""
    random = np.random.default_rng(0)
    categories = [{"supercategory": "thing", "id": i, "name": f"name {i}"} for i in range(1, 91)]
    draft = path.with_suffix(".draft")
    with draft.open("w") as file:
        file.write('{"info": {"year": 2017}, "images": [')
        file.write(",".join(image(number) for number in range(size // 4000)))
        file.write('], "annotations": [' + annotation(random, 0))
        number = 1
        while file.tell() < size:
            file.write("".join("," + annotation(random, i) for i in range(number, number + 1000)))
            number += 1000
        file.write('], "categories": ' + json.dumps(categories) + "}")
    draft.rename(path)


def read_columns(path: Path) -> list[JSONTable]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return list(JSONReader(descriptor, SCHEMAS))
    finally:
        os.close(descriptor)


def write_columns(tables: list[JSONTable]) -> int:
    """Bytes of the text."""
    return sum(len(chunk) for table in tables for chunk in JSONRecords(table.columns, table.rows))


def readers(path: Path) -> dict[str, Callable[[], Any]]:
    sides: dict[str, Callable[[], Any]] = {
        "ddfast": lambda: read_columns(path),
        "json": lambda: json.loads(path.read_bytes()),
    }
    if installed("orjson"):
        loads = import_module("orjson").loads
        sides["orjson"] = lambda: loads(path.read_bytes())
    if installed("pysimdjson"):
        parser = import_module("simdjson").Parser
        sides["pysimdjson"] = lambda: parser().parse(path.read_bytes(), True)
    return sides


def writers(path: Path) -> dict[str, Callable[[], int]]:
    tables, document = read_columns(path), json.loads(path.read_bytes())
    sides: dict[str, Callable[[], int]] = {
        "ddfast": lambda: write_columns(tables),
        "json": lambda: len(json.dumps(document, separators=(",", ":"))),
    }
    if installed("orjson"):
        dumps = import_module("orjson").dumps
        sides["orjson"] = lambda: len(dumps(document))
    return sides


def rate(side: Callable[[], Any], size: int | None) -> float:
    """Bytes per second of processor time; of the text that the side returns the size of, if none is given."""
    started = time.process_time()
    result = side()
    return (result if size is None else size) / (time.process_time() - started)


def report(title: str, sides: dict[str, Callable[[], Any]], size: int | None, repeats: int) -> None:
    measured = {name: lambda side=side: rate(side, size) for name, side in sides.items()}
    rates = interleaved(measured, repeats, title)
    print(f"| {title} | MB/s | ddfast's rate, times as high |\n|---|--:|--:|")
    for name, found in rates.items():
        middle = sorted(found)[len(found) // 2] / 1e6
        print(f"| {name} | {middle:,.0f} | {ratios(rates['ddfast'], found):.1f} |")
    print()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("/tmp/ddfast-data"), help="folder of the file")
    parser.add_argument("--megabytes", type=int, default=200, help="size of the file (default: 200)")
    parser.add_argument("--repeats", type=int, default=5, help="number of turns (default: 5)")
    args = parser.parse_args()
    path: Path = args.data / f"annotations-{args.megabytes}.json"
    if not path.exists():
        args.data.mkdir(parents=True, exist_ok=True)
        make(path, args.megabytes * 1_000_000)
    warm(path)
    report("read", readers(path), path.stat().st_size, args.repeats)
    report("written", writers(path), None, args.repeats)
    print(f"{machine_line(machine())}; medians of {args.repeats} turns (lowest to highest)")


if __name__ == "__main__":
    main()
