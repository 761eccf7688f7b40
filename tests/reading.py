"""Comparison of two readers in all respects that both packages share."""

from ddfast.testing import assert_same_sample

BUILTINS = (FileNotFoundError, OSError, KeyError, IndexError, OverflowError, ValueError, TypeError)


def builtin_of(error):
    """The most specific builtin class of an error."""
    return next(kind for kind in BUILTINS if isinstance(error, kind))


def outcome(call, *args, **kwargs):
    """The result of a call, or the builtin class of the error that it raises."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return builtin_of(error)


def assert_same_reader(ours, theirs):
    """Assert that two readers, or two results of creating one, agree in keys, order, samples and bytes."""
    if isinstance(theirs, type):
        assert ours is theirs
        return
    assert len(ours) == len(theirs)
    keys = [theirs.find_key(i) for i in range(len(theirs))]
    assert [ours.find_key(i) for i in range(len(ours))] == keys
    assert [ours.find_index(key) for key in keys] == [theirs.find_index(key) for key in keys]
    assert list(ours.labels) == list(theirs.labels)
    for raw in (False, True):
        for i in range(len(theirs)):
            given = [outcome(reader.get, i, yield_key=True, raw=raw) for reader in (ours, theirs)]
            assert_same_sample(*given)
    assert getattr(ours, "bytes_read", None) == getattr(theirs, "bytes_read", None)
