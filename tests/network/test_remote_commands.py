"""Commands on URLs print what they print for files."""

from __future__ import annotations

import json

import pytest
from datasets import beside, damage, some_samples, write, write_checksums
from rangeserver import serving

from ddfast.commands import __main__ as program
from ddfast.errors import DatasetNotFoundError

pytest.importorskip("obstore")

SAMPLES = some_samples(60)


@pytest.fixture
def path(tmp_path):
    return write_checksums(write(tmp_path / "x.msgpack", SAMPLES))


@pytest.fixture
def site(path):
    with serving({}) as site:
        put(site, path)
        yield site


def put(site, path):
    for suffix in ("", ".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3"):
        if beside(path, suffix).exists():
            site.objects[f"/{path.name}{suffix}"] = beside(path, suffix).read_bytes()


@pytest.fixture
def url(site):
    return f"{site.url}/x.msgpack"


@pytest.fixture
def call(capsys):
    def run(*args):
        status = program.main([str(arg) for arg in args])
        out = capsys.readouterr()
        return status, out.out, out.err

    return run


@pytest.mark.parametrize("options", [(), ("--json",), ("--keys",), ("--start", "-5", "-n", "2")])
def test_cat_prints_the_same(call, path, url, options):
    assert call("cat", url, *options) == call("cat", path, *options)


@pytest.mark.parametrize("options", [(), ("--samples", "7")])
def test_info_says_the_same(call, path, url, options):
    status, text, _ = call("info", url, *options)
    assert (status, text.replace(url, str(path))) == call("info", path, *options)[:2]
    both = call("info", url, url + "?signature=1", *options)[1]
    assert "together: 2 files, 120 samples" in both
    assert "signature=1" not in both


@pytest.mark.parametrize("options", [(), ("--quick",)])
def test_verify_says_that_a_sound_dataset_is(call, path, url, options):
    status, text, _ = call("verify", url, *options)
    assert (status, text.replace(url, str(path))) == call("verify", path, *options)[:2]
    assert status == 0


@pytest.mark.parametrize("suffix", ["", ".offsets", ".keys", ".key_hashes", ".xxh3", ".md5"])
def test_verify_finds_the_same_damage(call, path, site, url, suffix):
    if suffix:
        content = bytearray(beside(path, suffix).read_bytes())
        content[len(content) // 2] ^= 1
        beside(path, suffix).write_bytes(bytes(content))
    else:
        damage(path, 31, at=3)
    put(site, path)
    expected = call("verify", path)
    status, text, _ = call("verify", url)
    assert expected[0] == status == 1
    assert text.replace(site.url, str(path.parent)) == expected[1]


def test_verify_survives_faults_and_names_what_is_missing(call, site, url):
    site.script.extend([503, "reset_after_half", None, "serve_half"])
    assert call("verify", url)[0] == 0
    del site.objects["/x.msgpack.keys"]
    status, text, _ = call("verify", url)
    assert status == 1
    assert f"{url}.keys: not found" in text


@pytest.mark.parametrize("face", ["--async", "--sync"])
def test_bench_tells_what_went_over_the_network(call, url, face, tmp_path):
    options = ["--epochs", "1", face, "--cache", tmp_path / "cache", "--cache-bytes", "64MiB"]
    status, text, _ = call("bench", url, *options)
    assert status == 0
    for name in ("requests/s", "kB a request", "repeated requests", "waited for batches"):
        assert name in text
    assert "preadv" not in text
    found = json.loads(call("bench", url, "--json", *options)[1])
    assert found["samples"] == 60
    assert found["stats"]["requests"] > 0
    assert found["job"]["path"] == url
    assert found["job"]["storage_options"] is None


def test_options_for_the_storage_are_handed_on(call, url):
    for command in ("cat", "info", "verify", "bench"):
        status, _, err = call(command, url, "--storage-option", "no_such=1")
        assert status == 1
        assert "cannot be opened with these options" in err
        status, _, err = call(command, url, "--storage-option", "lonely")
        assert status == 1
        assert "--storage-option without a value" in err


@pytest.mark.parametrize("command", ["cat", "info", "verify", "bench"])
def test_what_is_not_there_is_told(call, site, command):
    status, _, err = call(command, f"{site.url}/none.msgpack")
    assert status == 1
    assert "none.msgpack" in err
    assert "not found" in err


def test_patterns_are_expanded(call, path):
    from ddfast.storage import open_upload

    for suffix in ("", ".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3"):
        with open_upload(f"memory://commands/x.msgpack{suffix}") as upload:
            upload.write(beside(path, suffix).read_bytes())
    for command in ("info", "verify"):
        status, text, _ = call(command, "memory://commands/*.msgpack*")
        assert status == 0
        assert text.startswith("memory://commands/x.msgpack: ")
        status, _, err = call(command, "memory://commands/y*")
        assert status == 1
        assert "memory://commands/y* not found" in err


def test_functions_take_urls(url):
    from ddfast.commands.info import info
    from ddfast.commands.verify import verify

    assert info([url]).samples == verify(url).samples == 60
    with pytest.raises(DatasetNotFoundError, match=r"none\.msgpack"):
        verify(url.replace("x.", "none."))
