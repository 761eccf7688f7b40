"""Real data: handwritten digits as PNG files, written by datadings and read by AsyncReader."""

import asyncio
import io

import numpy as np
import pytest
from datasets import write

from ddfast import AsyncReader

datasets = pytest.importorskip("sklearn.datasets")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def digits():
    return datasets.load_digits()


@pytest.fixture(scope="module")
def path(tmp_path_factory, digits):
    def samples():
        for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            file = io.BytesIO()
            Image.fromarray((image * 15).astype(np.uint8)).save(file, "PNG")
            yield {"key": f"{i:04d}.png", "image": file.getvalue(), "label": int(label), "pixels": image}

    return write(tmp_path_factory.mktemp("digits") / "digits.msgpack", list(samples()))


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png))) / 15


@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_pixels_and_labels_are_those_that_were_written(arun, path, digits, shuffle):
    async def main():
        seen = []
        async with AsyncReader(path) as reader:
            assert len(reader) == len(digits.target)
            async for batch in reader.batches(256, shuffle=shuffle, seed=7):
                assert batch["label"].dtype == np.int64
                assert (batch["label"] == digits.target[batch.indices]).all()
                assert (batch["pixels"] == digits.images[batch.indices]).all()
                assert batch.keys == [f"{i:04d}.png" for i in batch.indices]
                for png, index in zip(batch["image"], batch.indices, strict=True):
                    assert (pixels_of(png) == digits.images[index]).all()
                seen += batch.indices.tolist()
                await asyncio.sleep(0)
        assert sorted(seen) == list(range(len(digits.target)))

    arun(main())


def test_digits_are_found_by_key(arun, path, digits):
    async def main():
        async with AsyncReader(path) as reader:
            index = await reader.find_index("1000.png")
            sample = await reader.get(index)
        assert index == 1000
        assert sample["label"] == digits.target[1000]
        assert (pixels_of(sample["image"]) == digits.images[1000]).all()

    arun(main())
