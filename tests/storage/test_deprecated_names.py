"""Old names of `ddfast.storage` work for one version more."""

import pytest

import ddfast.storage


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CacheTraffic", "CacheCounters"),
        ("Front", "SequentialReader"),
        ("Neighbours", "ObjectGroup"),
        ("Policy", "RetryPolicy"),
        ("Traffic", "TransferCounters"),
        ("open_neighbours", "open_group"),
    ],
)
def test_old_names_are_the_new_ones_with_a_warning(old, new):
    with pytest.warns(
        DeprecationWarning, match=rf"ddfast\.storage\.{old} is deprecated, use ddfast\.storage\.{new}"
    ):
        assert getattr(ddfast.storage, old) is getattr(ddfast.storage, new)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="nonsense"):
        ddfast.storage.nonsense  # noqa: B018
