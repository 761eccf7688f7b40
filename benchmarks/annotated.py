"""Times for importing and exporting annotated datasets, beside Datumaro and beside parsing the file.

    python3 -m benchmarks.annotated --datumaro OTHER_VENV/bin/python

makes a COCO file of the size of train2017 (118,287 images, 860,001 annotations) or val2017, runs each job in a process
of its own, several times in turns, and prints medians of processor time and peak memory. Datumaro runs in the
environment whose Python is given, because its dependencies are older; without one it is left out. `--size val` takes
a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.annotated_data import TRAIN, VAL, write_coco

# The peak of this program alone: that of getrusage starts with the memory of the process that made it.
TAIL = """
import json, re
peak = int(re.search(r"VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1]) // 1024
print(json.dumps([CPU() - START, peak, RESULT]))
"""
HEAD = "import time; CPU = time.process_time\n"

# Source of the jobs: {source} is the COCO folder, {file} its annotation file, {out} a folder, {stored} a ddfast file.
EXPORT = """
from ddfast.annotated import Dataset
dataset = Dataset.import_from({stored!r})
START = CPU()
dataset.export({out!r}, "FORMAT")
RESULT = len(dataset)
"""
DDFAST = {
    "parse the file": """
from ddfast.formats.coco.images import IMAGES
from ddfast.formats.coco.records import ANNOTATIONS
from ddfast.tools.json_columns import JSONReader
START = CPU()
with open({file!r}, "rb") as file:
    RESULT = sum(table.rows for table in JSONReader(file.fileno(), dict(images=IMAGES, annotations=ANNOTATIONS)))
""",
    "COCO to tables": """
from ddfast.annotated import Dataset
START = CPU()
dataset = Dataset.import_from({source!r}, "coco_instances")
RESULT = dataset.tables.annotations.num_rows
""",
    "tables to COCO": EXPORT.replace("FORMAT", "coco_instances"),
    "create as many files": """
import os
START = CPU()
os.makedirs({out!r})
for number in range({items}):
    with open({out!r} + f"/{{number:012}}.txt", "xb") as file:
        file.write(b"x" * 100)
RESULT = {items}
""",
    **{
        f"tables to {name}": EXPORT.replace("FORMAT", format)
        for name, format in (
            ("YOLO", "yolo"),
            ("VOC", "voc_detection"),
            ("CVAT", "cvat"),
            ("Datumaro", "datumaro"),
        )
    },
    "tables to a ddfast file": """
from ddfast.annotated import Dataset
dataset = Dataset.import_from({source!r}, "coco_instances")
START = CPU()
dataset.export({out!r} + "/x.msgpack")
RESULT = len(dataset)
""",
    "open a ddfast file, all tables": """
from ddfast.annotated import Dataset
import pyarrow
START = CPU()
dataset = Dataset.import_from({stored!r})
RESULT = dataset.tables.annotations.num_rows
""",
    "targets of detection": """
from ddfast import MsgpackReader
import ddfast.annotated
START = CPU()
RESULT = 0
for batch in MsgpackReader({stored!r}).batches(256, columns=["annotations"]):
    RESULT += len(batch.targets("detection"))
""",
}
DATUMARO = {
    "COCO to tables": """
from datumaro.components.dataset import Dataset
START = CPU()
dataset = Dataset.import_from({source!r}, "coco_instances")
RESULT = sum(sum(one.type.name != "bbox" for one in item.annotations) for item in dataset)
""",
    "tables to COCO": """
from datumaro.components.dataset import Dataset
dataset = Dataset.import_from({source!r}, "coco_instances")
dataset.init_cache()
START = CPU()
dataset.export({out!r}, "coco_instances")
RESULT = len(dataset)
""",
}
PARSERS = {
    "orjson": "import orjson\nSTART = CPU()\nRESULT = len(orjson.loads(open({file!r}, 'rb').read()))\n",
    "pysimdjson, lazily": """
import simdjson
START = CPU()
parsed = simdjson.Parser().load({file!r})
RESULT = len(parsed["images"])
""",
}


def jobs(python: str, other: str | None) -> Iterator[tuple[str, str, str, str]]:
    """Job, name of the program, its Python, and the source."""
    for name, source in PARSERS.items():
        yield "parse the file", name, python, source
    for name, source in DDFAST.items():
        yield name, "ddfast", python, source
    if other:
        for name, source in DATUMARO.items():
            yield name, "Datumaro", other, source


def run(python: str, source: str, places: dict[str, str]) -> tuple[float, int, int] | None:
    """Processor time in seconds, peak memory in MiB and result of a job; None if a package is missing."""
    shutil.rmtree(places["out"], ignore_errors=True)
    code = HEAD + source.format(**places) + TAIL
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(f"{done.stderr}\n{code}")
    cpu, memory, result = json.loads(done.stdout.splitlines()[-1])
    return cpu, memory, result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("train", "val"), default="train")
    parser.add_argument(
        "--data", type=Path, help="folder for the files, which are made once (default: a temporary one)"
    )
    parser.add_argument("--datumaro", metavar="PYTHON", help="Python of an environment with Datumaro")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure(args, args.data or Path(temporary), Path(temporary))


def measure(args: argparse.Namespace, data: Path, temporary: Path) -> None:
    """Make the files, run all jobs in turns, and print the table."""
    source = data / args.size
    file = source / "annotations" / f"instances_{args.size}2017.json"
    if not file.exists():
        write_coco(file, *(TRAIN if args.size == "train" else VAL))
        (source / "images").mkdir()  # Datumaro wants one
    stored = data / f"{args.size}.msgpack"
    if not stored.exists():
        from ddfast.annotated import Dataset

        Dataset.import_from(source, "coco_instances").export(stored)
    places = {
        "source": str(source), "file": str(file), "stored": str(stored), "out": str(temporary / "out"),
        "items": str((TRAIN if args.size == "train" else VAL)[0]),
    }  # fmt: skip
    print(f"{file}: {file.stat().st_size:,} bytes; {stored.name}.table: {_size(stored, '.table'):,} bytes")
    found: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
    for repeat in range(args.repeats):
        for job, program, python, code in jobs(sys.executable, args.datumaro):
            if program == "Datumaro" and args.size == "train" and repeat:
                continue  # minutes each
            Path(places["out"]).parent.mkdir(exist_ok=True)
            result = run(python, code, places)
            if result is not None:
                found.setdefault((job, program), []).append(result)
    show(found)


def _size(path: Path, suffix: str) -> int:
    return path.with_name(path.name + suffix).stat().st_size


def show(found: dict[tuple[str, str], list[tuple[float, int, int]]]) -> None:
    """Print medians, and the ratio to ddfast of the same job."""
    print(f"\n| {'job':<31} | {'program':<18} | {'seconds':>8} | {'MiB':>6} | {'result':>9} | {'ratio':>6} |")
    print(f"|{'-' * 33}|{'-' * 20}|{'-' * 9}:|{'-' * 7}:|{'-' * 10}:|{'-' * 7}:|")
    for (job, program), runs in found.items():
        seconds = statistics.median(cpu for cpu, _, _ in runs)
        memory = statistics.median(memory for _, memory, _ in runs)
        own = statistics.median(cpu for cpu, _, _ in found.get((job, "ddfast"), runs))
        cells = f"{seconds:>8.2f} | {memory:>6.0f} | {runs[-1][2]:>9,} | {seconds / own:>6.1f}"
        print(f"| {job:<31} | {program:<18} | {cells} |")
    print(f"\n{os.cpu_count()} cores, Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d')}")


if __name__ == "__main__":
    main()
