"""The files of the cache: damaged, untrusted, too many, on a full disk, used by many processes, left over."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from counting_storage import CountingStorage, pseudo_random, read, read_async

import ddfast
from ddfast.storage import CachedStorage, cache_usage
from ddfast.storage.cache import blocks, shared, usage
from ddfast.storage.cache import cached as cached_storage
from ddfast.storage.cache.blocks import BlockAddress

BLOCK = 16384 * 2
CONTENT = pseudo_random(6 * BLOCK + 100, seed=1)
WHOLE = (0, len(CONTENT))
ON_DISK = BLOCK + 4096
TESTS = str(Path(__file__).parent.parent)


class Rig:
    """A cache of CONTENT in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[CachedStorage] = []

    def open(self, content: bytes = CONTENT, limit: int = 1 << 30) -> CachedStorage:
        self.opened.append(CachedStorage(CountingStorage(content), self.directory, limit, BLOCK))
        return self.opened[-1]

    def file(self, number: int) -> Path:
        """The file of a block."""
        place = repr(("memory://object", []))
        return self.directory / f"{BlockAddress(place, '1', len(CONTENT), BLOCK).block(number).name}.block"

    def fetched(self, cached: CachedStorage) -> list[int]:
        """Numbers of the blocks that were fetched, in order of time."""
        spans = [span for spans in cached.storage.asked for span in spans]
        return [at // BLOCK for start, stop in spans for at in range(start, stop, BLOCK)]

    def files(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path / "cache")
    yield rig
    for cached in rig.opened:
        cached.close()


@pytest.fixture
def filled(rig):
    read(rig.open(), WHOLE)
    return rig


def flip(position):
    def damage(path, rig):
        content = bytearray(path.read_bytes())
        content[position] ^= 0x10
        path.write_bytes(content)

    return damage


def resize(by):
    return lambda path, rig: os.truncate(path, max(0, path.stat().st_size + by))


def replace_by(make):
    def damage(path, rig):
        path.unlink()
        make(path, rig)

    return damage


def link_to_secret(path, rig):
    secret = rig.directory.parent / "secret"
    secret.write_bytes(bytes(BLOCK + 24))
    path.symlink_to(secret)


def copy_of_another(path, rig):
    path.write_bytes(rig.file(2).read_bytes())


DAMAGE = {
    "seal flipped": flip(0),
    "sum flipped": flip(9),
    "first byte flipped": flip(24),
    "byte in the middle flipped": flip(24 + BLOCK // 2),
    "last byte flipped": flip(-1),
    "cut by a byte": resize(-1),
    "emptied": resize(-(1 << 30)),
    "longer": resize(5),
    "zeroed": lambda path, rig: path.write_bytes(bytes(path.stat().st_size)),
    "link": replace_by(link_to_secret),
    "dangling link": replace_by(lambda path, rig: path.symlink_to("nowhere")),
    "link to a good block": replace_by(lambda path, rig: path.symlink_to(rig.file(2))),
    "another block": replace_by(copy_of_another),
    "pipe": replace_by(lambda path, rig: os.mkfifo(path)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_block_is_dropped_and_fetched_anew(filled, damage):
    damage(filled.file(1), filled)
    cached = filled.open()
    assert read(cached, WHOLE) == [CONTENT]
    assert filled.fetched(cached) == [1]
    assert (cached.counters.damaged, cached.counters.stored) == (1, 1)
    assert read(filled.open(), WHOLE) == [CONTENT]


def test_directory_in_place_of_a_block_is_left_alone(filled):
    filled.file(1).unlink()
    filled.file(1).mkdir()
    with pytest.warns(RuntimeWarning, match="cannot be used as a cache: Is a directory"):
        assert read(filled.open(), WHOLE) == [CONTENT]
    assert read(filled.open(), WHOLE) == [CONTENT]
    assert filled.file(1).is_dir()


def test_damage_outside_the_pages_that_are_read_does_not_matter(filled):
    flip(-1)(filled.file(1), filled)
    cached = filled.open()
    assert read(cached, (BLOCK + 5, BLOCK + 500)) == [CONTENT[BLOCK + 5 : BLOCK + 500]]
    assert cached.storage.asked == []


def test_planted_link_is_neither_read_nor_written_through(filled):
    replace_by(link_to_secret)(filled.file(1), filled)
    read(filled.open(), WHOLE)
    assert (filled.directory.parent / "secret").read_bytes() == bytes(BLOCK + 24)
    assert not filled.file(1).is_symlink()


def test_new_directory_is_for_its_user_alone(filled):
    assert filled.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in filled.directory.iterdir()} == {0o600}


def plant_link(path, monkeypatch):
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


def open_to_others(path, monkeypatch):
    path.mkdir()
    path.chmod(0o777)


def of_another_user(path, monkeypatch):
    path.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


def with_linked_usage(path, monkeypatch):
    path.mkdir(mode=0o700)
    (path / "usage").symlink_to(path.parent / "precious")


UNUSABLE = {
    "link": (plant_link, "Not a directory|Too many levels of symbolic links"),
    "open to others": (open_to_others, r"users may write to .*cache. Run `chmod go-w` on it"),
    "of another user": (of_another_user, r"cache belongs to another user \(uid \d+\)"),
    "linked usage": (with_linked_usage, "Too many levels of symbolic links"),
    "a file": (lambda path, monkeypatch: path.write_bytes(b""), "Not a directory"),
}


@pytest.mark.parametrize(("plant", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_directory_that_cannot_be_trusted_is_not_used(rig, monkeypatch, plant, reason):
    plant(rig.directory, monkeypatch)
    with pytest.warns(
        RuntimeWarning, match=rf"cannot be used as a cache: .*({reason}).*Reading continues"
    ) as warned:
        both = [rig.open(), rig.open()]
    assert len(warned) == 1
    assert [read(cached, WHOLE) for cached in both] == [[CONTENT]] * 2
    assert not list(rig.directory.parent.glob("*/*.block"))
    assert not (rig.directory.parent / "precious").exists()


def test_directory_replaced_by_a_link_while_it_is_open_is_still_the_one_that_was_opened(filled, tmp_path):
    cached = filled.opened[0]
    name = filled.file(1).name
    (tmp_path / "elsewhere").mkdir()
    filled.directory.rename(tmp_path / "moved")
    filled.directory.symlink_to("elsewhere")
    (tmp_path / "moved" / name).unlink()
    assert read(cached, WHOLE) == [CONTENT]
    assert (tmp_path / "moved" / name).exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_removed_directory_means_reading_without_it(filled):
    for path in filled.directory.iterdir():
        path.unlink()
    filled.directory.rmdir()
    cached = filled.opened[0]
    with pytest.warns(RuntimeWarning, match="cannot be used as a cache: No such file or directory"):
        assert read(cached, WHOLE) == [CONTENT]


def test_full_disk_warns_once_and_leaves_no_half_written_file(rig, monkeypatch):
    real = os.pwrite

    def full(file, content, at):
        if at > 5000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, content[:4000], at)

    cached = rig.open()
    with monkeypatch.context() as patched:
        patched.setattr(blocks.os, "pwrite", full)
        patched.setattr(shared, "REST_SECONDS", 0.0)
        with pytest.warns(
            RuntimeWarning, match="cannot be used as a cache: No space left on device"
        ) as warned:
            assert read(cached, WHOLE) == read(cached, WHOLE) == [CONTENT]
    assert len(warned) == 1
    assert not [name for name in rig.files() if name.endswith(".part")]
    read(cached, WHOLE)
    assert cache_usage(rig.directory).blocks == 7


def test_after_a_failed_write_the_disk_is_left_in_peace_for_a_while(rig, monkeypatch):
    tries = []

    def refuse(*args, **kwargs):
        tries.append(args)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    cached = rig.open()
    monkeypatch.setattr(shared, "reserve_block", refuse)
    with pytest.warns(RuntimeWarning, match="Disk quota exceeded"):
        assert read(cached, WHOLE) == read(cached, WHOLE) == [CONTENT]
    assert len(tries) == 1


def test_short_writes_are_continued(rig, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(blocks.os, "pwrite", lambda file, content, at: real(file, content[:4000], at))
    read(rig.open(), WHOLE)
    monkeypatch.undo()
    again = rig.open()
    assert read(again, WHOLE) == [CONTENT]
    assert again.storage.asked == []


def test_blocks_never_take_more_than_the_limit(rig):
    cached = rig.open(limit=3 * ON_DISK)
    for number in [0, 1, 2, 3, 4, 5, 0, 2, 4, 1, 3, 5]:
        start = number * BLOCK
        assert read(cached, (start, start + 10)) == [CONTENT[start : start + 10]]
        assert cache_usage(rig.directory).bytes <= 3 * ON_DISK


def test_what_just_fits_stays(rig):
    limit = 6 * ON_DISK + 4096
    read(rig.open(limit=limit), WHOLE)
    again = rig.open(limit=limit)
    assert read(again, WHOLE) == [CONTENT]
    assert again.storage.asked == []


def test_what_was_not_used_for_longest_leaves_first(rig):
    cached = rig.open(limit=4 * ON_DISK)
    for number in range(4):
        read(cached, (number * BLOCK, number * BLOCK + 1))
        os.utime(rig.file(number), (number, number))
    read(cached, (0, 1))
    read(cached, (4 * BLOCK, 4 * BLOCK + 1))
    assert [rig.file(number).exists() for number in range(5)] == [True, False, True, True, True]


def test_use_is_noted_once_a_minute(filled):
    path, cached = filled.file(1), filled.open()
    lately = time.time() - 30
    os.utime(path, (lately, lately))
    read(cached, (BLOCK, BLOCK + 1))
    assert path.stat().st_mtime == pytest.approx(lately)
    os.utime(path, (lately - 60, lately - 60))
    read(cached, (BLOCK, BLOCK + 1))
    assert path.stat().st_mtime > lately


def test_files_of_others_are_neither_counted_nor_removed(rig):
    rig.directory.mkdir(mode=0o700)
    others = {"photo.jpg", "a.block", f"{'0' * 31}g.block", f"{'0' * 32}.block.txt"}
    for name in others:
        (rig.directory / name).write_bytes(bytes(10 * BLOCK))
        os.utime(rig.directory / name, (0, 0))
    cached = rig.open(limit=2 * ON_DISK)
    read(cached, WHOLE)
    assert others < rig.files()
    assert cache_usage(rig.directory).blocks == 2


def test_inserting_does_not_list_the_directory(rig, monkeypatch):
    counted = []
    real = usage._entries
    monkeypatch.setattr(usage, "_entries", lambda *args: (counted.append(args), real(*args))[1])
    cached = rig.open()
    for number in range(6):
        read(cached, (number * BLOCK, number * BLOCK + 1))
    assert len(counted) == 1


@pytest.mark.parametrize("content", [b"", b"x" * 24, b"\xff" * 23, bytes(24), b"\xff" * 100])
def test_damaged_count_is_made_anew(filled, content):
    (filled.directory / "usage").write_bytes(content)
    cached = filled.open(limit=3 * ON_DISK)
    filled.file(5).unlink()
    read(cached, (5 * BLOCK, 5 * BLOCK + 1))
    assert filled.file(5).exists()
    assert cache_usage(filled.directory).bytes <= 3 * ON_DISK


def test_count_from_the_future_or_from_long_ago_is_made_anew(filled, monkeypatch):
    for path in filled.directory.glob("*.block"):
        path.unlink()
    hour = 3600
    now = time.time()
    for moment in (now + 2 * hour, now):
        monkeypatch.setattr(usage.time, "time", lambda moment=moment: moment)
        read(filled.opened[0], (0, 1))
        filled.file(0).unlink()
        noted = (filled.directory / "usage").read_bytes()
        assert int.from_bytes(noted[:8], sys.byteorder) == ON_DISK


def test_given_up_files_leave_first(filled):
    left = filled.directory / f"{'0' * 32}.0123456789abcdef.part"
    left.write_bytes(bytes(BLOCK))
    hour_ago = time.time() - 3600
    os.utime(left, (hour_ago, hour_ago))
    for number in range(6):
        os.utime(filled.file(number), (1, 1))
    filled.file(0).unlink()
    cached = filled.open(limit=6 * ON_DISK)
    read(cached, (0, 1))
    assert not left.exists()


def test_lock_that_is_held_by_another_stops_nobody(rig, monkeypatch):
    monkeypatch.setattr(usage, "LOCK_SECONDS", 0.01)
    cached = rig.open()
    with (rig.directory / "usage").open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert read(cached, (0, 10)) == [CONTENT[:10]]
        assert cached.counters.stored == 0
    read(cached, (0, 10))
    assert cached.counters.stored == 1


def test_block_that_is_removed_while_it_is_written_is_just_not_stored(rig, monkeypatch):
    real = os.pwrite

    def remove(file, content, at):
        for name in rig.files():
            if name.endswith(".part"):
                (rig.directory / name).unlink()
        return real(file, content, at)

    cached = rig.open()
    monkeypatch.setattr(blocks.os, "pwrite", remove)
    assert read(cached, WHOLE) == [CONTENT]
    assert cached.counters.stored == 0
    assert rig.files() == {"usage"}


READING = """
import random, sys
sys.path[:0] = [{root!r}, {tests!r}]
from counting_storage import FileStorage, read
from ddfast.storage import CachedStorage, cache_usage
seed, limit = int(sys.argv[1]), {limit}
cached = CachedStorage(FileStorage({path!r}), {directory!r}, limit, {block})
content, rng = cached.storage.content, random.Random(seed)
print("reading", flush=True)
for _ in range(int(sys.argv[2])):
    start = rng.randrange(len(content))
    stop = min(len(content), start + rng.randrange(100_000))
    assert read(cached, (start, stop)) == [content[start:stop]], (start, stop)
    # Files are renamed while they are counted.
    assert cache_usage({directory!r}).bytes <= limit + {slack}
"""


def start_reading(tmp_path, seed, limit, reads):
    path = tmp_path / "object"
    if not path.exists():
        path.write_bytes(pseudo_random(40 * BLOCK))
    names = {"root": str(Path(ddfast.__file__).parent.parent), "tests": TESTS, "limit": limit, "block": BLOCK}
    names["slack"] = 3 * ON_DISK
    program = READING.format(path=str(path), directory=str(tmp_path / "cache"), **names)
    command = [sys.executable, "-c", program, str(seed), str(reads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_many_processes_read_right_and_keep_within_the_limit_together(tmp_path):
    running = [start_reading(tmp_path, seed, 12 * ON_DISK, 150) for seed in range(3)]
    for process in running:
        _, said = process.communicate(timeout=100)
        assert (process.returncode, said) == (0, "")


def test_processes_killed_at_any_moment_leave_nothing_that_is_read_wrongly(tmp_path):
    for seed in range(4):
        process = start_reading(tmp_path, seed, 12 * ON_DISK, 1_000_000)
        assert process.stdout.readline() == "reading\n"
        time.sleep(0.01 * (seed + 1) + 0.003 * seed)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=100)
        assert process.returncode == -signal.SIGKILL
    last = start_reading(tmp_path, 9, 12 * ON_DISK, 100)
    assert last.communicate(timeout=100)[1] == ""
    assert last.returncode == 0


def at_hand(cached, *spans):
    """What can be read at once, or None."""
    buffers = [bytearray(stop - start) for start, stop in spans]
    found = cached.read_at_hand(spans, [memoryview(buffer) for buffer in buffers])
    return [bytes(buffer) for buffer in buffers] if found else None


@pytest.mark.parametrize("way", ["not in memory", "partly in memory", "cannot tell", "no such flag"])
def test_what_the_system_does_not_have_in_memory_is_read_in_a_thread(filled, arun, monkeypatch, way):
    real = os.preadv

    def preadv(file, buffers, at, flags):
        if not flags:
            assert threading.current_thread().name.startswith("ddfast-cache")
        elif way == "partly in memory":
            return real(file, buffers[:1], at)
        else:
            raise OSError(errno.EAGAIN if way == "not in memory" else errno.EOPNOTSUPP, "not now")
        return real(file, buffers, at)

    monkeypatch.setattr(blocks.os, "preadv", preadv)
    if way == "no such flag":
        monkeypatch.setattr(blocks, "NO_WAIT", None)
    cached = filled.open()
    cached.stat()
    assert at_hand(cached, (5, BLOCK + 5)) is None
    assert arun(read_async(cached, (5, BLOCK + 5))) == [CONTENT[5 : BLOCK + 5]]
    assert cached.storage.asked == []
    assert (cached.counters.local, cached.counters.damaged) == (2, 0)


@pytest.fixture
def warm(filled):
    """A cache whose blocks the system reports to be in memory."""
    cached = filled.open()
    cached.stat()
    if at_hand(cached, WHOLE) is None:
        pytest.skip("this system, or its file system, cannot tell")
    return cached


def test_what_the_system_has_in_memory_is_at_hand(warm):
    assert at_hand(warm, (5, 100), (BLOCK - 1, 3 * BLOCK)) == [CONTENT[5:100], CONTENT[BLOCK - 1 : 3 * BLOCK]]
    assert warm.storage.asked == []
    assert warm.counters.local == 7 + 3


def test_nothing_is_at_hand_before_the_version_is_known(warm, filled):
    assert at_hand(filled.open(), (5, 100)) is None


def test_a_block_that_is_gone_is_not_at_hand(warm, filled):
    filled.file(1).unlink()
    assert at_hand(warm, (0, 2 * BLOCK)) is None
    assert (warm.counters.local, warm.counters.damaged) == (7, 0)


def test_a_damaged_block_is_not_at_hand_and_is_dropped(warm, filled):
    flip(-1)(filled.file(1), filled)
    assert at_hand(warm, (0, 2 * BLOCK)) is None
    assert (warm.counters.local, warm.counters.damaged) == (7, 1)
    assert not filled.file(1).exists()


def test_more_than_is_quick_to_copy_is_not_at_hand(warm, monkeypatch):
    monkeypatch.setattr(cached_storage, "AT_HAND_BYTES", 99)
    assert at_hand(warm, (0, 99)) == [CONTENT[:99]]
    assert at_hand(warm, (0, 50), (100, 150)) is None
