"""A fresh process that measures one point: ``python -m benchmarks.scaling.probe REQUEST``, where REQUEST is JSON."""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from typing import Any

from benchmarks.memory import Watcher, forget_peak, status
from benchmarks.peers.formats.ddfast import DdfastReader
from benchmarks.peers.jobs import LateWatch, batches, get_batch

LOOKUPS = 2000
WARM_SECONDS = 0.3


def probe(files: list[str], sharded: bool, batch: int, seconds: float) -> dict[str, float]:
    """All figures of a dataset, read as columns in batches of one size."""
    from ddfast.reader import MsgpackReader, ShardedReader

    forget_peak()
    before = status()
    started = time.perf_counter()
    reader = ShardedReader(files) if sharded else MsgpackReader(files[0])
    opened = time.perf_counter()
    with reader:
        figures = {"samples": len(reader), "open": (opened - started) * 1e3, **lookups(reader)}
        peer = DdfastReader(reader)
        for name, job in (("in order", batches), ("at random", get_batch)):
            job(peer, LateWatch(max(seconds, WARM_SECONDS)), batch)  # memory is fresh the first time
            watch = LateWatch(seconds)
            job(peer, watch, batch)
            figures[name] = watch.rate()
        figures["memory"] = memory(peer, batch, seconds, before["RssAnon"])
    figures["peak"] = (status()["VmHWM"] - before["VmHWM"]) / 1e6
    return figures


def lookups(reader: Any) -> dict[str, float]:
    """Milliseconds of the first key look-up, and microseconds of later ones."""
    draw = random.Random(7)
    keys = [reader.get(draw.randrange(len(reader)))["key"] for _ in range(LOOKUPS)]
    find = reader.find_index
    started = time.perf_counter()
    find(keys[0])
    asked = time.perf_counter()
    for key in keys:
        find(key)
    return {
        "first lookup": (asked - started) * 1e3,
        "lookup": (time.perf_counter() - asked) / LOOKUPS * 1e6,
    }


def memory(peer: DdfastReader, batch: int, seconds: float, before: int) -> float:
    """Peak of the process's own memory above its start, in MB; in a separate run, because measuring it takes time."""
    gc.collect()
    watcher = Watcher()
    watcher.start()
    try:
        batches(peer, LateWatch(seconds), batch)
        get_batch(peer, LateWatch(seconds), batch)
    finally:
        watcher.done.set()
        watcher.join()
    return (watcher.peaks["RssAnon"] - before) / 1e6


def main() -> None:
    """Measure on the selected processors, and print."""
    request = json.loads(sys.argv[1])
    os.sched_setaffinity(0, request.pop("processors"))
    print(json.dumps(probe(**request)))


if __name__ == "__main__":
    main()
