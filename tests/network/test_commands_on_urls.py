"""Commands that copy samples, recover them, or write indexes do the same with URLs as with paths."""

from __future__ import annotations

import secrets
import tempfile

import pytest
from bucketserver import BucketHandler
from datasets import beside, damage, some_samples, write, write_checksums, write_legacy
from rangeserver import serving

from ddfast.commands import __main__ as program
from ddfast.reader import MsgpackReader

pytest.importorskip("obstore")

SAMPLES = some_samples(60)
SUFFIXES = ("", ".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3", ".index")
OPTIONS = ("--storage-option", "skip_signature=true", "--storage-option")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "in").mkdir()
    return write_checksums(write(tmp_path / "in" / "x.msgpack", SAMPLES))


def put(site, folder, path):
    for suffix in SUFFIXES:
        site.objects.pop(f"{folder}/{path.name}{suffix}", None)
        if beside(path, suffix).exists():
            site.objects[f"{folder}/{path.name}{suffix}"] = beside(path, suffix).read_bytes()


@pytest.fixture
def site(path):
    """A web server, which cannot be written."""
    with serving({}) as site:
        put(site, "", path)
        yield site


@pytest.fixture
def bucket(path):
    """An S3 server."""
    with serving({}, BucketHandler) as bucket:
        put(bucket, "/b", path)
        yield bucket


@pytest.fixture
def call(capsys):
    def run(*args):
        try:
            status = program.main([str(arg) for arg in args])
        except SystemExit as end:
            status = end.code
        out = capsys.readouterr()
        return status, out.out, out.err

    return run


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


COPIES = {
    "shuffle": ("shuffle", "IN", "OUT/a.msgpack", "-y", "--seed", "3"),
    "true shuffle": ("shuffle", "IN", "OUT/a.msgpack", "-y", "--seed", "3", "--true-shuffle"),
    "sample": ("sample", "IN", "OUT/a.msgpack", "10", "-y", "--seed", "3"),
    "split": ("split", "IN", "20", "-o", "OUT/a.msgpack", "OUT/b.msgpack", "-y"),
    "concat": ("merge", "IN", "OTHER", "OUT/a.msgpack", "-y", "-s", "concat"),
    "merge": ("merge", "IN", "OTHER", "OUT/a.msgpack", "-y", "--seed", "3", "--shuffle"),
    "recover": ("recover", "IN", "-o", "OUT/a.msgpack", "-y"),
}


@pytest.mark.parametrize("args", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("kind", ["web server", "bucket", "file"])
def test_samples_are_copied_from_urls(call, path, site, bucket, tmp_path, args, kind):
    other = write(path.with_name("y.msgpack"), [{"key": f"other {i}"} for i in range(30)])
    put(site, "", other)
    put(bucket, "/b", other)
    folder = {"web server": site.url, "bucket": "s3://b", "file": f"file://{path.parent}"}[kind]
    options = [*OPTIONS, f"endpoint={bucket.url}"] if kind == "bucket" else []
    results = []
    for name, prefix in (("local", path.parent), ("remote", folder)):
        out = tmp_path / name
        out.mkdir()
        places = {"IN": f"{prefix}/x.msgpack", "OTHER": f"{prefix}/y.msgpack"}
        full = [places.get(arg, arg.replace("OUT", str(out))) for arg in args]
        status, text, err = call(*full, *(options if name == "remote" else []))
        assert (status, err) == (0, "")
        results.append((contents(out), text.replace(str(out), "OUT")))
    assert results[0] == results[1]


@pytest.mark.parametrize("args", [COPIES["shuffle"], COPIES["split"], COPIES["recover"]], ids=str)
def test_samples_are_copied_to_urls(call, path, bucket, tmp_path, args):
    out = tmp_path / "out"
    out.mkdir()
    places = {"IN": str(path)}
    assert call(*[places.get(arg, arg.replace("OUT", str(out))) for arg in args])[0] == 0
    options = [*OPTIONS, f"endpoint={bucket.url}"]
    full = [places.get(arg, arg.replace("OUT", "s3://b/out")) for arg in args]
    assert call(*full, *options)[0] == 0
    made = {
        name.removeprefix("/b/out/"): c for name, c in bucket.objects.items() if name.startswith("/b/out/")
    }
    assert made == contents(out)


def test_a_url_is_not_its_own_output(call, bucket, site):
    options = [*OPTIONS, f"endpoint={bucket.url}"]
    for name in ("s3://b/x.msgpack", "s3://b/x.msgpack"):
        status, _, err = call("shuffle", "s3://b/x.msgpack", name, "-y", *options)
        assert status == 1
        assert "s3://b/x.msgpack is also the input. Write to another file" in err
    status, _, err = call("split", "s3://b/x.msgpack", "9", "-o", "s3://b/y", "s3://b/y", "-y", *options)
    assert (status, "given twice as output" in err) == (1, True)
    url = site.url.replace("//", "//me:secret@")
    status, _, err = call("shuffle", f"{url}/x.msgpack?sig=secret", f"{site.url}/x.msgpack", "-y")
    assert (status, "is also the input" in err, "secret" in err) == (1, True, False)


def test_parts_of_a_url_get_names_beside_it(call, bucket, site):
    assert call("split", "s3://b/x.msgpack", "9", "-y", *OPTIONS, f"endpoint={bucket.url}")[0] == 0
    options = {"endpoint": bucket.url, "skip_signature": True}
    for name, count in (("x-0", 9), ("x-1", 51)):
        with MsgpackReader(f"s3://b/{name}.msgpack", storage_options=options) as reader:
            assert len(reader) == count
    for url in (f"{site.url}/x.msgpack", "zip://x.msgpack::file:///x.zip"):
        status, _, err = call("split", url, "9", "-y")
        assert (status, "in a place that cannot be written. Name the datasets to write with -o" in err) == (
            1,
            True,
        )


@pytest.mark.parametrize("command", ["shuffle", "sample", "split", "merge", "recover"])
def test_web_servers_are_not_written(call, path, site, command):
    rest = {"sample": ["5"]}.get(command, [])
    args = [path, f"{site.url}/o.msgpack", *rest]
    if command == "split":
        args = [path, "9", "-o", f"{site.url}/o.msgpack", f"{site.url}/p.msgpack"]
    if command == "recover":
        args = [path, "-o", f"{site.url}/o.msgpack"]
    status, _, err = call(command, *args, "-y")
    assert (status, "o.msgpack cannot be written: web servers are for reading" in err) == (1, True)


@pytest.mark.parametrize(
    "command", ["shuffle", "sample", "split", "merge", "recover", "index", "convert-index"]
)
def test_missing_objects_are_named(call, site, tmp_path, command):
    url = f"{site.url}/none.msgpack?sig=secret"
    out = str(tmp_path / "o")
    args = {
        "sample": [url, out, "5", "-y"],
        "split": [url, "5", "-o", out, f"{out}2", "-y"],
        "merge": [url, out, "-y"],
        "recover": [url, "-o", out],
        "index": [url.replace("http:", "memory:")],
        "convert-index": [url, "-o", str(tmp_path)],
    }
    status, _, err = call(command, *args.get(command, [url, out, "-y"]))
    assert (status, "none.msgpack" in err, "not found" in err, "secret" in err) == (1, True, True, False)


# -- recovery


def test_a_damaged_dataset_under_a_url_is_recovered(call, path, site, tmp_path):
    damage(path, 7)
    put(site, "", path)
    out = tmp_path / "out"
    out.mkdir()
    status, text, _ = call("recover", f"{site.url}/x.msgpack", "-o", out / "o.msgpack")
    assert status == 1
    assert "59 samples recovered, 1 lost" in text
    assert not [name for name in contents(out) if name.startswith(".")]
    with MsgpackReader(out / "o.msgpack") as reader:
        assert len(reader) == 59


@pytest.mark.parametrize("option", [[], ["--discard"]])
def test_there_are_no_drafts_under_urls(call, site, option):
    status, _, err = call("recover", f"{site.url}/x.msgpack?sig=secret", *option)
    assert status == 2
    assert "x.msgpack?... is a URL, where killed writers leave no unfinished dataset. To recover" in err
    assert "secret" not in err


# -- indexes


@pytest.fixture
def memory(path):
    """The URL of the dataset in memory, and a function that reads its objects."""
    from ddfast.storage import open_group, open_upload

    url = f"memory://{secrets.token_hex(4)}/x.msgpack"
    for suffix in SUFFIXES:
        if beside(path, suffix).exists():
            with open_upload(url + suffix) as upload:
                upload.write(beside(path, suffix).read_bytes())
    return url, open_group(url)


def local(path):
    return {suffix: beside(path, suffix).read_bytes() for suffix in SUFFIXES if beside(path, suffix).exists()}


def stored(group):
    return {suffix: content for suffix in SUFFIXES if (content := group.read(suffix)) is not None}


def test_an_index_is_written_under_a_url(call, path, memory, monkeypatch):
    def closed():
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    url, group = memory
    for suffix in SUFFIXES[1:]:
        group.remove(suffix)
    assert call("index", url) == (0, f"{url}: 60 samples indexed\n", "")
    assert stored(group) == local(path)
    status, _, err = call("index", url)
    assert (status, "has an index, overwrite?" in err) == (1, True)
    group.put(".keys", b"damaged")
    assert call("index", "-y", url)[0] == 0
    assert stored(group) == local(path)


def test_checksums_are_written_under_a_url(call, path, memory):
    url, group = memory
    group.remove(".xxh3")
    assert call("index", "--checksums", url) == (0, f"{url}: 60 samples hashed\n", "")
    assert stored(group) == local(path)


def test_offsets_are_uploaded_last(bucket, call):
    assert call("index", "-y", "s3://b/x.msgpack", *OPTIONS, f"endpoint={bucket.url}")[0] == 0
    written = [path for method, path, _ in bucket.requests if method in ("PUT", "POST")]
    assert written[-1].startswith("/b/x.msgpack.offsets")
    first = next(i for i, (method, _, _) in enumerate(bucket.requests) if method in ("PUT", "POST", "DELETE"))
    assert bucket.requests[first][0] in ("DELETE", "POST")


def test_nothing_is_uploaded_for_a_damaged_data_file(call, path, memory):
    url, group = memory
    before = stored(group)
    damaged = bytearray(before[""])
    damaged[31] ^= 1
    group.put("", bytes(damaged))
    status, _, err = call("index", "-y", url)
    assert status == 1
    assert url in err
    assert {**stored(group), "": b""} == {**before, "": b""}


@pytest.mark.parametrize("command", ["index", "convert-index"])
def test_read_only_places_say_what_to_do(call, site, command):
    for url in (f"{site.url}/x.msgpack?sig=secret", "zip://x.msgpack::file:///x.zip"):
        status, _, err = call(command, url)
        assert status == 1
        assert "Copy the files of the dataset to a disk, and run the command on the copy" in err
        assert "secret" not in err
    assert not [method for method, _, _ in site.requests if method not in ("GET", "HEAD")]


@pytest.fixture
def legacy(tmp_path):
    (tmp_path / "old").mkdir()
    return write_legacy(tmp_path / "old" / "x.msgpack", SAMPLES)


@pytest.mark.parametrize("keep_md5", [True, False])
def test_a_legacy_index_under_a_url_is_converted(call, legacy, site, bucket, tmp_path, keep_md5):
    if not keep_md5:
        beside(legacy, ".md5").unlink()
    put(site, "", legacy)
    put(bucket, "/b", legacy)
    (tmp_path / "out").mkdir()
    assert call("convert-index", f"{site.url}/x.msgpack.index", "-o", tmp_path / "out")[0] == 0
    assert call("convert-index", "s3://b/x.msgpack", *OPTIONS, f"endpoint={bucket.url}")[0] == 0
    before = local(legacy)
    assert call("convert-index", legacy)[0] == 0
    expected = {suffix: content for suffix, content in local(legacy).items() if suffix not in ("", ".index")}
    assert contents(tmp_path / "out") == {f"x.msgpack{suffix}": c for suffix, c in expected.items()}
    assert {s: bucket.objects[f"/b/x.msgpack{s}"] for s in expected} == expected
    assert bucket.objects["/b/x.msgpack.index"] == before[".index"]


def test_a_legacy_dataset_under_a_url_is_verified(call, legacy, site):
    put(site, "", legacy)
    status, text, _ = call("verify", f"{site.url}/x.msgpack")
    assert (status, text.replace(f"{site.url}/x.msgpack", str(legacy))) == call("verify", legacy)[:2]


def test_temporary_folders_are_removed(call, site, tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    call("verify", f"{site.url}/x.msgpack")
    call("recover", f"{site.url}/x.msgpack", "-o", tmp_path / "o.msgpack")
    assert not list(folder.iterdir())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
