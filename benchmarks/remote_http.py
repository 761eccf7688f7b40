"""Compare batches of random samples over HTTP with plain range requests of the same samples.

First write two datasets, of large and of small samples, into a folder of a web server that supports ranges, preferably
with an added network delay:

    python -m benchmarks.remote_http --make FOLDER
    nginx -c ...                              # or any other server; 5 ms of delay: tc qdisc, toxiproxy, ...
    python -m benchmarks.remote_http http://localhost:8080

or into a bucket, with credentials in the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...):

    python -m benchmarks.remote_http --make s3://BUCKET
    python -m benchmarks.remote_http s3://BUCKET

The figures are samples per second of ddfast's `batches(256)` in truly random order, and of range requests for the same
samples with obstore alone, by tasks of one event loop (uvloop, if installed): 64 at a time for large samples (105 kB),
and one at a time for small ones (2.8 kB). Both sides take turns. Each one is measured for --seconds, after it has read
for --warm seconds, because a reader starts with few requests, fetches ahead, and increases the number of requests while
throughput grows. The defaults take about two minutes. If server, delay and client share processors, the processor time
of all three limits the result; `taskset` selects the processors.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from collections.abc import Awaitable, Callable

import numpy as np
import obstore
from obstore.store import from_url

from benchmarks.measure import Spread, Stopwatch, interleaved, ratios
from ddfast import AsyncReader, FileWriter
from ddfast.storage import open_storage

LARGE, SMALL = ("large.msgpack", 105_000, 4_000), ("small.msgpack", 2_800, 200_000)
BATCH = 256


def make(folder: str) -> None:
    """Write both datasets into a folder, or a bucket."""
    rng = np.random.default_rng(0)
    for name, size, count in (LARGE, SMALL):
        with FileWriter(f"{folder}/{name}", overwrite=True) as writer:
            for i in range(count):
                writer.write({"key": str(i), "data": rng.bytes(size)})


class Watch:
    """Counts for some seconds, after a warm-up."""

    def __init__(self, warm: float, seconds: float) -> None:
        self._warming = Stopwatch(warm)
        self._seconds = seconds
        self._watch: Stopwatch | None = None

    def more(self, n: int) -> bool:
        """Count ``n`` things; False when the time is over."""
        if self._watch is not None:
            return self._watch.more(n)
        if not self._warming.more(n):
            self._watch = Stopwatch(self._seconds)
        return True

    def rate(self) -> float:
        """Things a second."""
        return self._watch.rate() if self._watch else 0.0


async def read_batches(url: str, watch: Watch) -> float:
    """Samples per second of a reader in truly random order."""
    async with AsyncReader(url) as reader:
        for epoch in itertools.count():
            async for batch in reader.batches(BATCH, shuffle=True, epoch=epoch, raw=True):
                if not watch.more(len(batch)):
                    return watch.rate()
    raise AssertionError


async def read_raw(url: str, watch: Watch, at_once: int) -> float:
    """Samples per second of range requests, with a number of them at a time."""
    with open_storage(url + ".offsets") as storage:
        offsets = np.frombuffer(storage.read_all(), ">u8").astype(np.int64)
    root, _, key = url.rpartition("/")
    store = from_url(root, client_options={"allow_http": True})
    order = itertools.cycle(np.random.default_rng(1).permutation(len(offsets) - 1).tolist())
    more = True

    async def carry() -> None:
        nonlocal more
        while more:
            i = next(order)
            await obstore.get_range_async(store, key, start=int(offsets[i]), end=int(offsets[i + 1]))
            more = watch.more(1) and more

    await asyncio.gather(*(carry() for _ in range(at_once)))
    return watch.rate()


def run(work: Callable[[], Awaitable[float]]) -> float:
    """A measurement in a new event loop."""

    async def main() -> float:
        return await work()

    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    return float(uvloop.run(main()))


def compare(base: str, name: str, at_once: int, times: tuple[float, float], repeats: int) -> str:
    """One line: both rates and their ratio."""
    url = f"{base.rstrip('/')}/{name}"
    raw = f"{at_once} at a time"
    sides = {
        "ddfast": lambda: run(lambda: read_batches(url, Watch(*times))),
        raw: lambda: run(lambda: read_raw(url, Watch(*times), at_once)),
    }
    rates = interleaved(sides, repeats, name)
    texts = [f"{side} {Spread.of(values):,.0f} samples/s" for side, values in rates.items()]
    return f"{name}: {', '.join(texts)}, ratio {ratios(rates['ddfast'], rates[raw]):.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="URL of the served folder, or of the bucket")
    parser.add_argument("--make", metavar="FOLDER", help="write the datasets to this folder or URL")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="duration of each measurement (default: 3)"
    )
    parser.add_argument(
        "--warm", type=float, default=2.0, help="seconds of warm-up before each measurement (default: 2)"
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="number of measurements of each side (default: 5)"
    )
    args = parser.parse_args()
    if args.make:
        make(args.make)
    if args.url:
        times = args.warm, args.seconds
        print(compare(args.url, LARGE[0], 64, times, args.repeats))
        print(compare(args.url, SMALL[0], 1, times, args.repeats))


if __name__ == "__main__":
    main()
