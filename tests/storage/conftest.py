"""Fixtures of tests of storages."""

import pytest


@pytest.fixture(params=["blocking", "async"])
def read(request, arun):
    """``read(storage, start, stop)``, blocking and asynchronous."""

    def read(storage, start, stop):
        buffer = memoryview(bytearray(stop - start))
        if request.param == "blocking":
            storage.read([(start, stop)], [buffer])
        else:
            arun(storage.read_async([(start, stop)], [buffer]))
        return bytes(buffer)

    return read
