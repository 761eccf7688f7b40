"""Errors that can be skipped, the samples left out, and the list of a quarantine."""

import errno
import json
import pickle

import pytest

from ddfast import errors
from ddfast.policy import BadSample, ErrorPolicy, Quarantine, is_of_a_sample


class Place:
    """Samples with keys, all in one file."""

    def __init__(self, path, keys):
        self.path = path
        self.keys = keys

    def place(self, index):
        return self.path, self.keys[index]


SOURCE = Place("/data/x.msgpack", ["a", "b", "c", "d"])
DAMAGE = errors.CorruptSampleError("sample 1 is damaged")


@pytest.mark.parametrize(
    "error",
    [
        DAMAGE,
        errors.CorruptSpanError("s"),
        errors.CorruptArchiveError("s"),
        errors.PickleRefusedError("s"),
        errors.ReadError(errno.EIO, "Input/output error"),
        errors.SampleFileNotFoundError(errno.ENOENT, "gone"),
        errors.MemberNotFoundError("s"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_one_sample_can_be_left_out(error):
    assert is_of_a_sample(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.ClosedError("s"),
        errors.StorageTimeoutError("s"),
        errors.DatasetChangedError("s"),
        errors.DatasetNotFoundError("s"),
        errors.IndexFileError("s"),
        errors.SampleIndexError("s"),
        errors.ReadError(errno.EMFILE, "too many open files"),
        errors.ReadError("s"),
        OSError(errno.EIO, "of the system itself"),
        ValueError("s"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_more_than_a_sample_is_never_left_out(error):
    assert not is_of_a_sample(error)
    policy = ErrorPolicy("skip")
    with pytest.raises(type(error)):
        policy.pass_over(error, SOURCE, 1)
    assert policy.quarantine == ()


@pytest.mark.parametrize("on_error", ["ignore", None, 0])
def test_a_policy_is_one_of_three(on_error):
    with pytest.raises(ValueError, match='not "raise", "skip" or a function'):
        ErrorPolicy(on_error)


def test_a_strict_policy_raises_the_error_itself():
    with pytest.raises(errors.CorruptSampleError) as caught:
        ErrorPolicy().pass_over(DAMAGE, SOURCE, 1)
    assert caught.value is DAMAGE


def test_skipping_keeps_each_sample_once_and_counts_every_time():
    policy = ErrorPolicy("skip")
    for index in (2, 1, 2):
        policy.pass_over(DAMAGE, SOURCE, index)
    assert policy.quarantine == tuple(
        BadSample("/data/x.msgpack", index, SOURCE.keys[index], DAMAGE) for index in (2, 1)
    )
    assert policy.counters.total().skipped == 3


def test_a_function_decides_by_returning_or_raising():
    seen = []

    def ask(bad):
        seen.append(bad.key)
        if bad.key == "b":
            raise bad.error

    policy = ErrorPolicy(ask)
    policy.pass_over(DAMAGE, SOURCE, 0)
    with pytest.raises(errors.CorruptSampleError, match="sample 1 is damaged"):
        policy.pass_over(DAMAGE, SOURCE, 1)
    assert seen == ["a", "b"]
    assert [bad.key for bad in policy.quarantine] == ["a"]


def test_a_function_that_returns_something_is_a_mistake():
    with pytest.raises(TypeError, match="on_error returned 'skip' for sample 1; it must return None"):
        ErrorPolicy(lambda _: "skip").pass_over(DAMAGE, SOURCE, 1)


def test_what_is_kept_holds_no_memory_of_what_was_read():
    policy = ErrorPolicy("skip")
    try:
        try:
            raise KeyError
        except KeyError as cause:
            raise errors.CorruptSampleError("s") from cause
    except errors.CorruptSampleError as error:
        policy.pass_over(error, SOURCE, 1)
    kept = policy.quarantine[0].error
    assert kept.__traceback__ is None
    assert kept.__cause__.__traceback__ is None


def test_a_pickled_policy_counts_anew():
    policy = ErrorPolicy("skip")
    policy.pass_over(DAMAGE, SOURCE, 1)
    other = pickle.loads(pickle.dumps(policy))
    assert other.on_error == "skip"
    assert other.quarantine == ()
    assert other.counters.total().skipped == 0


# -- the list of a quarantine


def test_a_quarantine_writes_each_sample_at_once_and_once(tmp_path):
    path = tmp_path / "bad.jsonl"
    quarantine = Quarantine(path)
    policy = ErrorPolicy(quarantine)
    assert not path.exists()
    for index in (2, 2, 0):
        policy.pass_over(DAMAGE, SOURCE, index)
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert entries == [
        {"path": "/data/x.msgpack", "index": i, "key": SOURCE.keys[i], "reason": "sample 1 is damaged"}
        for i in (2, 0)
    ]
    ErrorPolicy(Quarantine(path)).pass_over(DAMAGE, SOURCE, 2)
    assert len(path.read_text().splitlines()) == 2


def test_a_list_counts_from_the_next_run_on(tmp_path):
    policy = ErrorPolicy(Quarantine(tmp_path / "bad.jsonl"))
    policy.pass_over(DAMAGE, SOURCE, 2)
    policy.pass_over(DAMAGE, SOURCE, 1)
    assert policy.listed(SOURCE, 4) == []
    assert ErrorPolicy(Quarantine(tmp_path / "bad.jsonl")).listed(SOURCE, 4) == [1, 2]


def test_a_sample_is_listed_by_path_index_and_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Quarantine("bad.jsonl")(BadSample("x.msgpack", 1, "b", DAMAGE))
    policy = ErrorPolicy(Quarantine("bad.jsonl"))
    assert policy.listed(Place("./x.msgpack", "abc"), 3) == [1]
    assert policy.listed(Place(f"{tmp_path}/x.msgpack", "abc"), 3) == [1]
    assert policy.listed(Place("y.msgpack", "abc"), 3) == []
    assert policy.listed(Place("x.msgpack", "acb"), 3) == []
    assert policy.listed(Place("x.msgpack", "a"), 1) == []


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"path": "x", "index": 1}', '{"path": "x", "index": -1, "key": "a"}', "7", "\x00"],
)
def test_a_list_with_a_line_of_something_else_is_refused(tmp_path, line):
    path = tmp_path / "bad.jsonl"
    path.write_text(f'{{"path": "x", "index": 1, "key": "a"}}\n\n{line}\n')
    with pytest.raises(
        errors.TextFileError, match=r"bad\.jsonl, line 3 is not a JSON object .*Remove the line"
    ):
        Quarantine(path)


def test_a_pickled_quarantine_goes_on_with_the_same_list(tmp_path):
    path = tmp_path / "bad.jsonl"
    quarantine = Quarantine(path)
    quarantine(BadSample("/x", 1, "b", DAMAGE))
    other = pickle.loads(pickle.dumps(quarantine))
    other(BadSample("/x", 1, "b", DAMAGE))
    other(BadSample("/x", 2, None, DAMAGE))
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == [1, 2]
    assert repr(other) == f"Quarantine({str(path)!r})"
