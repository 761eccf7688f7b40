"""ddfast-recover saves what a dead writer left, and intact samples of a damaged dataset."""

import errno
import json
import os

import pytest
from datasets import beside, damage, keys_of, offsets_of, overwrite, some_samples, write, write_legacy

from ddfast import FileWriter, MsgpackReader
from ddfast.commands import _run, recover
from ddfast.errors import DatasetBusyError
from ddfast.recovery import salvage

SAMPLES = [{"key": f"k{i}", "x": b"\xff" * (i % 7 * 300), "meta": {"key": "inner"}} for i in range(100)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x"


@pytest.fixture
def left(path):
    """A path where a writer left ten samples."""
    with pytest.raises(RuntimeError), FileWriter(path, resume=True, disable=True) as writer:  # noqa: PT012
        for sample in SAMPLES[:10]:
            writer.write(sample)
        raise RuntimeError
    return path


def run(capsys, *args):
    status = _run.run(recover, "ddfast recover", [str(arg) for arg in args])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def keys(path):
    with MsgpackReader(path) as reader:
        return [sample["key"] for sample in reader]


def contents(path):
    return {file: file.read_bytes() for file in path.parent.iterdir()}


def test_left_samples_become_the_dataset(left, capsys):
    status, out, _ = run(capsys, left)
    assert (status, keys(left)) == (0, keys_of(SAMPLES[:10]))
    assert "unfinished dataset: 10 samples recovered, 0 lost" in out


def test_left_samples_are_copied_to_another_dataset(left, capsys):
    before = contents(left)
    status, _, _ = run(capsys, left, "-o", left.with_name("y"))
    assert (status, keys(left.with_name("y"))) == (0, keys_of(SAMPLES[:10]))
    assert before.items() <= contents(left).items()


def test_samples_that_did_not_arrive_are_told(left, capsys):
    with left.with_name(".x.draft").open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1)
    status, out, _ = run(capsys, left)
    assert (status, len(keys(left))) == (1, 9)
    assert "9 samples recovered, 1 lost" in out
    assert "1 samples from index 9 on were not completely written" in out


def test_number_of_lost_samples_is_that_of_samples_and_not_of_stretches(left, capsys):
    os.truncate(left.with_name(".x.draft"), left.with_name(".x.draft").stat().st_size // 2)
    status, out, _ = run(capsys, left, "--json")
    report = json.loads(out[out.index("{") :])
    assert status == 1
    assert report["samples"] + report["lost_samples"] == 10
    assert 4 <= report["lost_samples"] <= 6
    assert len(report["lost"]) == 1


def test_report_on_a_draft_says_what_cannot_be_counted(left, capsys):
    _, out, _ = run(capsys, left)
    assert (
        "not counted: the last samples of a killed writer, up to about 16 MiB since its last flush()" in out
    )


@pytest.mark.parametrize("command", ["info", "verify", "cat"])
def test_commands_that_find_only_a_draft_name_the_command_that_recovers_it(left, command, run_python):
    done = run_python("-m", "ddfast", command, str(left))
    assert done.returncode != 0
    assert (
        f"A writer has started it: wait until it is finished. If the writer was stopped, `ddfast recover {left}`"
        in done.stderr
    )


def test_draft_without_a_whole_sample_is_removed(left, capsys):
    os.truncate(left.with_name(".x.draft"), 5)
    assert run(capsys, left)[0] == 1
    assert list(left.parent.iterdir()) == []


def test_left_samples_replace_a_dataset_only_when_told_so(left, capsys, monkeypatch):
    write(left, SAMPLES[:3])
    monkeypatch.setattr("builtins.input", lambda: "no")
    assert run(capsys, left)[0] == 1
    assert len(keys(left)) == 3
    assert run(capsys, left, "-y")[0] == 0
    assert len(keys(left)) == 10


def test_what_is_left_can_be_removed(left, capsys):
    assert run(capsys, left, "--discard")[:2] == (0, f"{left}: unfinished dataset removed\n")
    assert list(left.parent.iterdir()) == []
    assert run(capsys, left, "--discard")[:2] == (0, f"{left}: no unfinished dataset found\n")


def test_complete_dataset_gets_its_names(path, capsys, monkeypatch):
    with monkeypatch.context() as patched:

        def fail(self, target):
            raise OSError(errno.EIO, "broken")

        patched.setattr(type(path), "replace", fail)
        with pytest.raises(OSError, match="broken"):
            write(path, SAMPLES, "ddfast")
    assert run(capsys, path, "-o", path.with_name("y")) == (
        2,
        "",
        f"ddfast recover: {path} is complete except for renaming its files: run the command without -o\n",
    )
    status, out, _ = run(capsys, path)
    assert (status, keys(path)) == (0, keys_of(SAMPLES))
    assert "files renamed" in out
    assert len(list(path.parent.iterdir())) == 7


def test_living_writer_is_not_disturbed(path, capsys):
    with FileWriter(path, disable=True):
        status, _, err = run(capsys, path)
        assert status == 1
        assert "is being written by process" in err
        with pytest.raises(DatasetBusyError):
            recover.discard_unfinished(path)


def test_nothing_to_recover_is_wrong_usage(path, capsys):
    write(path, SAMPLES)
    status, _, err = run(capsys, path)
    assert (status, "use -o" in err) == (2, True)
    status, _, err = run(capsys, path, "-o", "y", "--discard")
    assert (status, "cannot be combined with -o" in err) == (2, True)


def test_missing_file_and_same_file_are_errors(path, capsys):
    assert "not found, and there is no unfinished dataset of that name" in run(capsys, path, "-o", "y")[2]
    write(path, SAMPLES)
    assert "is also the input" in run(capsys, path, "-o", path)[2]


def save(path, capsys, *gone):
    """Recover a dataset without some of its files. Returns the report and the keys that were saved."""
    for suffix in gone:
        beside(path, suffix).unlink()
    before, out = contents(path), path.with_name("saved")
    status, text, _ = run(capsys, path, "-o", out, "--json")
    assert before.items() <= contents(path).items()
    report = json.loads(text[text.index("{") :])
    assert status == (1 if report["lost"] else 0)
    saved = keys(out)
    assert report["samples"] == len(saved)
    return report["lost"], saved


GONE = [(), (".xxh3",), (".offsets",), (".offsets", ".keys"), (".offsets", ".keys", ".xxh3")]


@pytest.mark.parametrize("gone", GONE)
def test_sound_dataset_is_saved_whole(path, capsys, gone):
    write(path, SAMPLES, "ddfast")
    assert save(path, capsys, *gone) == ([], keys_of(SAMPLES))


@pytest.mark.parametrize("gone", GONE)
def test_samples_around_damage_are_saved(path, capsys, gone):
    write(path, SAMPLES, "ddfast")
    start, stop = offsets_of(path)[40:42]
    damage(path, 40, data=b"\xc1")
    lost, saved = save(path, capsys, *gone)
    assert saved == [key for key in keys_of(SAMPLES) if key != "k40"]
    assert [(each["start"], each["stop"]) for each in lost] == [(start, stop)]
    assert "0xc1" in lost[0]["reason"]
    if ".offsets" not in gone:
        assert (lost[0]["index"], lost[0]["key"]) == (40, "k40")


@pytest.mark.parametrize("gone", GONE)
def test_samples_before_a_cut_are_saved(path, capsys, gone):
    write(path, SAMPLES, "ddfast")
    os.truncate(path, offsets_of(path)[70] + 9)
    lost, saved = save(path, capsys, *gone)
    assert saved == keys_of(SAMPLES[:70])
    assert "the file ends" in lost[0]["reason"]


@pytest.mark.parametrize("gone", [(), (".offsets",), (".offsets", ".keys")])
def test_zeroed_pages_cost_the_samples_in_them(path, capsys, gone):
    write(path, SAMPLES, "ddfast")
    offsets = offsets_of(path)
    overwrite(path, offsets[20] + 50, bytes(offsets[30] - offsets[20]))
    _, saved = save(path, capsys, *gone)
    assert saved == keys_of(SAMPLES[:20] + SAMPLES[31:])


def test_flipped_bit_within_a_value_is_told_by_the_checksum(path, capsys):
    write(path, SAMPLES, "ddfast")
    damage(path, 5, at=100, data=b"\xfe")
    lost, saved = save(path, capsys)
    assert "does not match its checksum" in lost[0]["reason"]
    assert saved == keys_of(SAMPLES[:5] + SAMPLES[6:])


def test_sample_with_another_key_is_lost_unless_its_checksum_or_the_hash_of_its_key_is_right(path, capsys):
    write(path, SAMPLES, "ddfast")
    keys_file = beside(path, ".keys")
    keys_file.write_bytes(keys_file.read_bytes().replace(b"\xa3k77", b"\xa3k7x"))
    assert save(path, capsys) == ([], keys_of(SAMPLES))
    for saved in path.parent.glob("saved*"):
        saved.unlink()
    assert save(path, capsys, ".xxh3") == ([], keys_of(SAMPLES))
    for saved in path.parent.glob("saved*"):
        saved.unlink()
    lost, _ = save(path, capsys, ".key_hashes")
    assert "contains the key 'k77' of another sample" in lost[0]["reason"]


def test_samples_behind_a_cut_offsets_file_are_found(path, capsys):
    write(path, SAMPLES, "ddfast")
    os.truncate(beside(path, ".offsets"), 8 * 50 + 3)
    assert save(path, capsys) == ([], keys_of(SAMPLES))


def test_senseless_offsets_are_not_believed(path, capsys):
    write(path, SAMPLES, "ddfast")
    overwrite(beside(path, ".offsets"), 8 * 50, b"\0" * 8)
    assert save(path, capsys) == ([], keys_of(SAMPLES))


def test_legacy_dataset_is_saved(path, capsys):
    samples = some_samples(30)
    write_legacy(path, samples)
    damage_at = path.read_bytes().index(b"sample 9") - 5
    overwrite(path, damage_at, b"\xc1")
    lost, saved = save(path, capsys)
    assert len(saved) == 29
    assert lost[0]["index"] == 9


def test_equal_keys_and_missing_keys_are_lost(path, capsys):
    data = b"".join(salvage_packed(key) for key in ("a", "b", "a", None, "c"))
    path.write_bytes(data)
    lost, saved = save(path, capsys)
    assert saved == ["a", "b", "c"]
    assert "an earlier sample has the same key" in lost[0]["reason"]
    assert len(lost) == 2


def salvage_packed(key):
    import msgpack

    return msgpack.packb({"x": 1} if key is None else {"key": key})


def test_blocks_that_the_disk_cannot_read_cost_their_samples(path, capsys, monkeypatch):
    write(path, SAMPLES, "ddfast")
    original = os.pread

    def pread(file, size, start):
        if start <= 10_000 < start + size and os.readlink(f"/proc/self/fd/{file}") == str(path):  # noqa: PTH115
            raise OSError(errno.EIO, "Input/output error")
        return original(file, size, start)

    monkeypatch.setattr(salvage.os, "pread", pread)
    lost, saved = save(path, capsys)
    assert 80 < len(saved) == 100 - len(lost) < 100


def test_long_reports_are_cut(path, capsys):
    write(path, SAMPLES, "ddfast")
    for index in range(30):
        damage(path, index)
    status, out, _ = run(capsys, path, "-o", path.with_name("y"))
    assert status == 1
    assert "and 10 more; --json lists all" in out


@pytest.mark.parametrize("before", [0, 10])
def test_sample_larger_than_a_window_is_found_behind_damage(path, capsys, monkeypatch, before):
    monkeypatch.setattr(salvage, "WINDOW", 1 << 10)
    samples = [
        *SAMPLES[:before],
        {"key": "damaged"},
        {"key": "large", "x": bytes(100_000), "meta": {}},
        *SAMPLES[20:30],
    ]
    write(path, samples, "ddfast")
    damage(path, before)
    _, saved = save(path, capsys, ".offsets", ".xxh3", ".keys")
    assert saved == keys_of([*samples[:before], *samples[before + 1 :]])
