"""A value that is made on first use is made once, also in a forked process."""

import os
import threading

import pytest
from datasets import some_samples, write

from ddfast import MsgpackReader
from ddfast._util.once import Once, lazy
from ddfast.dataset.local import LocalDataset


def all_at_once(work, count=8):
    """Run `work` in threads that begin together. Returns what it gave."""
    barrier, results = threading.Barrier(count), []

    def run():
        barrier.wait()
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_threads_make_a_value_once():
    once, made = Once(), []

    def make():
        made.append(object())
        return made[0]

    results = all_at_once(lambda: once.get(make))
    assert len(made) == 1
    assert set(results) == set(made)
    assert once.is_made


def test_a_value_whose_making_failed_is_made_later():
    once = Once()
    with pytest.raises(ZeroDivisionError):
        once.get(lambda: 1 // 0)
    assert not once.is_made
    assert once.get(lambda: 7) == 7


def test_the_first_keys_that_threads_look_up_build_one_table(tmp_path, monkeypatch):
    path = write(tmp_path / "x.msgpack", some_samples(200))
    built = []
    make = LocalDataset._make_key_table

    def counted(self):
        built.append(threading.get_ident())
        return make(self)

    monkeypatch.setattr(LocalDataset, "_make_key_table", counted)
    with MsgpackReader(path) as reader:
        assert all_at_once(lambda: reader.find_index("sample 7 ß")) == [7] * 8
    assert len(built) == 1


def test_threads_that_make_an_attribute_all_get_the_same():
    class Owner:
        @lazy
        def value(self):
            """A value."""
            return object()

    for _ in range(20):
        owner = Owner()
        assert len(set(all_at_once(lambda owner=owner: owner.value))) == 1
    assert Owner.value.__doc__ == "A value."


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_fork_does_not_wait_for_a_thread_of_its_parent():
    once, inside, go_on = Once(), threading.Event(), threading.Event()

    def make():
        inside.set()
        go_on.wait(30)
        return 1

    thread = threading.Thread(target=lambda: once.get(make))
    thread.start()
    inside.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(once.get(lambda: 2))
    status = os.waitpid(child, 0)[1]
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 2
    assert once.get(make) == 1
