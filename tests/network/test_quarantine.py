"""Lists of damaged samples of URLs."""

from __future__ import annotations

import json

import pytest
from datasets import beside, damage, some_samples, write
from rangeserver import serving

from ddfast import AsyncReader
from ddfast.policy import Quarantine
from ddfast.reader import MsgpackReader, ShardedReader

pytest.importorskip("obstore")

BAD = [3, 17]


@pytest.fixture
def site(tmp_path):
    path = write(tmp_path / "x.msgpack", some_samples(30))
    for index in BAD:
        damage(path, index)
    with serving({f"/x.msgpack{s}": beside(path, s).read_bytes() for s in ("", ".offsets", ".keys")}) as site:
        yield site


def read(reader):
    with reader:
        found = [index for batch in reader.batches(8) for index in batch.indices.tolist()]
        return found, reader.stats().skipped, reader.stats().listed


def read_async(url, arun, policy):
    async def run():
        async with AsyncReader(url, on_error=policy) as reader:
            found = [index async for batch in reader.batches(8) for index in batch.indices.tolist()]
            return found, reader.stats().skipped, reader.stats().listed

    return arun(run())


def test_a_list_applies_in_every_folder_and_to_urls_that_are_signed_anew(site, tmp_path, monkeypatch, arun):
    url, path = f"{site.url.replace('//', '//me:secret@')}/x.msgpack", tmp_path / "bad.jsonl"
    good = [i for i in range(30) if i not in BAD]
    (tmp_path / "other").mkdir()
    assert read(MsgpackReader(f"{url}?signature=secret", on_error=Quarantine(path))) == (good, 2, 0)
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(entry["path"], entry["index"]) for entry in entries] == [
        (f"{site.url.replace('//', '//me:...@')}/x.msgpack?...", index) for index in BAD
    ]
    assert "secret" not in path.read_text()
    monkeypatch.chdir(tmp_path / "other")
    for again in (MsgpackReader, lambda url, **options: ShardedReader([url], **options)):
        assert read(again(f"{url}?signature=secret2", on_error=Quarantine(path))) == (good, 0, 2)
    assert read_async(f"{url}?signature=3", arun, Quarantine(path)) == (good, 0, 2)
    assert len(path.read_text().splitlines()) == len(BAD)


def test_a_list_names_the_shard(site, tmp_path):
    path = tmp_path / "bad.jsonl"
    site.objects.update({name.replace("x", "y", 1): content for name, content in site.objects.items()})
    for skipped, listed in ((4, 0), (0, 4)):
        shards = [f"{site.url}/x.msgpack", f"{site.url}/y.msgpack"]
        assert read(ShardedReader(shards, on_error=Quarantine(path)))[1:] == (skipped, listed)
    assert {json.loads(line)["path"] for line in path.read_text().splitlines()} == set(shards)
