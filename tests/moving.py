"""Helpers for the tests of the commands that move samples."""

from datasets import SUFFIXES, some_samples, write

from ddfast import MsgpackReader
from ddfast.commands import _run, merge, sample, shuffle, split

COMMANDS = {"merge": merge, "sample": sample, "shuffle": shuffle, "split": split}
FILES = ("", *SUFFIXES, ".md5")


def dataset(folder, name="in.msgpack", count=300, prefix=""):
    samples = [{**each, "key": prefix + each["key"]} for each in some_samples(count)]
    return write(folder / name, samples)


def run(name, *argv):
    return _run.run(COMMANDS[name], f"ddfast-{name}", [str(arg) for arg in argv])


def keys_in(path):
    with MsgpackReader(path) as reader:
        return list(reader.keys())


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def names_of(*stems):
    return sorted(f"{stem}{suffix}" for stem in stems for suffix in FILES)
