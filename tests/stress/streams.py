"""Streams opened, cancelled and dropped at random, under account of memory, threads and descriptors.

    python tests/stress/streams.py --seconds 60

Fifty streams run at any time: half of them blocking, in threads that share a few readers, half in one event loop.
Each is read for a while and then closed, dropped, cancelled in the middle or read to its end; some belong to readers
that are closed under them. What is delivered is checked. Exit status 1 where something is wrong or left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from ddfast import AsyncReader, FileWriter, MsgpackReader
from ddfast.errors import ClosedError

STREAMS = 50
SHARED = 4  # readers of each face
SAMPLES = 5000
BAD = {0, 17, 2500, 4999}
PREFETCH = 4 << 20
GROWTH = 64 << 20  # bytes that the process may gain between the first third of the time and the end
BATCH_SIZES = (1, 7, 64, 500)


def write_dataset(path: Path) -> None:
    """Samples of different sizes, some of them damaged."""
    starts, at = [], 0
    with FileWriter(path, disable=True) as writer:
        for i in range(SAMPLES):
            writer.write({"key": str(i), "label": i, "data": bytes(i * 37 % 3000)})
    import numpy as np

    starts = np.fromfile(f"{path}.offsets", ">u8").tolist()
    with path.open("r+b") as file:
        for index in BAD:
            at = starts[index]
            file.seek(at)
            file.write(b"\xc1")


def arguments(rng: random.Random) -> dict[str, object]:
    """How one stream reads."""
    return {
        "batch_size": rng.choice(BATCH_SIZES),
        "shuffle": rng.choice([False, True, "block"]),
        "seed": rng.randrange(9),
        "start": rng.randrange(SAMPLES),
        "columns": rng.choice([None, ["label"], ["label", "data"]]),
    }


class Account:
    """What happened, and what the process holds."""

    def __init__(self, seconds: float) -> None:
        self.began = time.monotonic()
        self.until = self.began + seconds
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.memory: list[tuple[float, int]] = []
        self.most = Counter[str]()

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until or bool(self.failures)

    def check(self, batch: object) -> None:
        """Note a batch, and whether it has the samples that it says."""
        self.counts["batches"] += 1
        indices = batch.indices.tolist()
        if not BAD.isdisjoint(indices) or (indices and batch["label"].tolist() != indices):
            self.failures.append(f"wrong batch: {indices[:5]}...")

    def measure(self) -> None:
        """Note what the process holds now."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.memory.append((time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE")))
        self.most["descriptors"] = max(self.most["descriptors"], len(os.listdir("/proc/self/fd")))  # noqa: PTH208
        self.most["threads"] = max(self.most["threads"], len(os.listdir("/proc/self/task")))  # noqa: PTH208

    def growth(self) -> int:
        """Bytes gained from the first third on."""
        third = self.began + (self.memory[-1][0] - self.began) / 3
        return self.memory[-1][1] - max(
            size for at, size in self.memory if at <= third or at == self.memory[0][0]
        )


def held() -> tuple[int, int]:
    """Descriptors and threads of this process."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))  # noqa: PTH208


def blocking_worker(account: Account, readers: list[MsgpackReader], path: Path, seed: int) -> None:
    """One blocking stream after the other."""
    rng = random.Random(seed)
    try:
        while not account.is_over:
            account.counts["streams"] += 1
            if rng.random() < 0.1:
                own = MsgpackReader(path, prefetch_bytes=PREFETCH, on_error="skip")
                blocking_stream(account, own, rng, closes=True)
            else:
                blocking_stream(account, rng.choice(readers), rng, closes=False)
    except BaseException as error:  # told by the main thread
        account.failures.append(f"{type(error).__name__}: {error}")


def blocking_stream(account: Account, reader: MsgpackReader, rng: random.Random, closes: bool) -> None:
    stream = reader.batches(**arguments(rng))
    kept = []
    for _ in range(rng.choice([0, 1, 5, 50, 10_000])):
        batch = next(stream, None)
        if batch is None or account.is_over:
            break
        account.check(batch)
        if rng.random() < 0.05:
            kept.append(batch)
        del batch
    if rng.random() < 0.3:
        reader.find_index(str(rng.randrange(SAMPLES)))
    if closes and rng.random() < 0.5:
        reader.close()
        with contextlib.suppress(ClosedError):  # what was read ahead may still come
            for batch in stream:
                account.check(batch)
    elif rng.random() < 0.5:
        stream.close()
        account.counts["closed"] += 1
    else:
        account.counts["dropped"] += 1
    if closes:
        reader.close()


async def async_worker(account: Account, readers: list[AsyncReader], path: Path, seed: int) -> None:
    """One asynchronous stream after the other."""
    rng = random.Random(seed)
    while not account.is_over:
        account.counts["streams"] += 1
        await asyncio.sleep(0)
        if rng.random() < 0.1:
            async with AsyncReader(path, prefetch_bytes=PREFETCH, on_error="skip") as own:
                await async_stream(account, own, rng)
        else:
            await async_stream(account, rng.choice(readers), rng)


async def async_stream(account: Account, reader: AsyncReader, rng: random.Random) -> None:
    stream = reader.batches(**arguments(rng))
    for _ in range(rng.choice([0, 1, 5, 50, 10_000])):
        if rng.random() < 0.1:
            task = asyncio.ensure_future(anext(stream, None))
            await asyncio.sleep(rng.choice([0, 0.0001, 0.002]))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            account.counts["cancelled"] += 1
            break
        batch = await anext(stream, None)
        if batch is None or account.is_over:
            break
        account.check(batch)
        del batch
    if rng.random() < 0.5:
        await stream.aclose()
        account.counts["closed"] += 1
    else:
        account.counts["dropped"] += 1


async def watch(account: Account) -> None:
    """Measure until the time is over."""
    while not account.is_over:
        account.measure()
        await asyncio.sleep(0.1)
    account.measure()


async def run_async(account: Account, path: Path, seed: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(AsyncReader(path, prefetch_bytes=PREFETCH, on_error="skip"))
            for _ in range(SHARED)
        ]
        workers = (async_worker(account, readers, path, seed + i) for i in range(STREAMS // 2))
        await asyncio.gather(watch(account), *workers)
        gc.collect()
        for _ in range(500):  # reads that were running when they were given up end by themselves
            if not any(reader._fetcher.pool.used for reader in readers):
                break
            await asyncio.sleep(0.01)
        account.counts["bytes left in pools"] += sum(reader._fetcher.pool.used for reader in readers)


def run(path: Path, seconds: float, seed: int) -> Account:
    """Let all streams run, and end them."""
    account = Account(seconds)
    readers = [MsgpackReader(path, prefetch_bytes=PREFETCH, on_error="skip") for _ in range(SHARED)]
    threads = [
        threading.Thread(target=blocking_worker, args=(account, readers, path, seed + 1000 + i), daemon=True)
        for i in range(STREAMS // 2)
    ]
    for thread in threads:
        thread.start()
    asyncio.run(run_async(account, path, seed))
    for thread in threads:
        thread.join(60)
    if any(thread.is_alive() for thread in threads):
        account.failures.append("a thread hangs")
    for reader in readers:
        reader.close()
    return account


def settled(before: tuple[int, int]) -> tuple[int, int]:
    """What is left of descriptors and threads when all that ends by itself has ended."""
    for _ in range(500):
        gc.collect()
        left = [max(0, now - then) for now, then in zip(held(), before, strict=True)]
        if not any(left):
            break
        time.sleep(0.01)
    return left[0], left[1]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ddfast-stress-") as folder:
        path = Path(folder) / "x.msgpack"
        write_dataset(path)
        before = held()
        account = run(path, args.seconds, args.seed)
        descriptors, threads = settled(before)
    growth = account.growth()
    for name, count in sorted(account.counts.items()):
        print(f"{name}: {count:,}")
    print(f"at most: {account.most['descriptors']} descriptors, {account.most['threads']} threads,",
          f"{max(size for _, size in account.memory) >> 20} MiB")  # fmt: skip
    print(
        f"left behind: {descriptors} descriptors, {threads} threads; memory grew by {growth / 2**20:.1f} MiB"
    )
    for failure in account.failures:
        print(failure)
    wrong = account.failures or descriptors > 0 or threads > 0 or growth > GROWTH
    return 1 if wrong or account.counts["bytes left in pools"] else 0


if __name__ == "__main__":
    sys.exit(main())
