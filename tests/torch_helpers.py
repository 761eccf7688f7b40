"""What tests of ddfast.torch share; importable in worker processes, and without torch."""

import pickle
import warnings


class FakeInfo:
    """What torch tells a worker about itself."""

    def __init__(self, number, workers):
        self.id = number
        self.seed = 1000 + number
        self.num_workers = workers


class Counting:
    """An augment: positions count through its epochs, of which each turns the order by one."""

    def __init__(self, n):
        self.n = n
        self.position = 0

    def __len__(self):
        return self.n

    def seek(self, index):
        self.position = index

    def iter(self, yield_key=False, raw=False, copy=True, chunk_size=16):
        while self.position < 1000 * self.n:
            epoch, position = divmod(self.position, self.n)
            self.position += 1
            yield {"key": str(self.position), "at": (epoch + position) % self.n}


def double(sample):
    """A transform of whole samples."""
    sample["label"] *= 2
    return sample


def first_bytes(batch):
    """A transform of batches that reads views of bytes where they are."""
    assert all(isinstance(image, memoryview) for image in batch["image"])
    return {"first": [image[0] for image in batch["image"]], "label": batch["label"]}


def as_it_is(batch):
    """A collate function."""
    return batch


def wait_for(process, seconds=60):
    """Join a process; kill it and fail where it hangs."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"{process} hangs")
    return process.exitcode


class Copied:
    """A dataset that is unpickled where it is used."""

    def __init__(self, pickled):
        self.pickled = pickled

    def __len__(self):
        return 1

    def __getitem__(self, _):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            list(pickle.loads(self.pickled))
        return {"warnings": [str(warning.message) for warning in caught]}
