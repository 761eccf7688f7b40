"""Compressed files, Matlab files, arrays and docstrings are read and made as in datadings."""

from __future__ import annotations

import functools
import gzip
import io
import lzma
import sys
from types import ModuleType, SimpleNamespace

import datadings.sets.types as types
import datadings.tools as reference
import datadings.tools.compression
import datadings.tools.matlab
import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

import ddfast.tools as tools
from ddfast.errors import MissingPackageError, ReadError
from ddfast.tools.cached_property import cached_property
from ddfast.tools.compression import open_comp
from ddfast.tools.matlab import iter_fields, loadmat

OPENERS = {"a.gz": gzip.open, "a.xz": lzma.open, "a.txt": open}


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize("level", [None, 0, 9])
def test_file_is_compressed_as_its_suffix_says(tmp_path, name, level):
    path = tmp_path / name
    with open_comp(path, "wt", level, "latin-1") as file:
        file.write("äöü" * 100)
    with OPENERS[name](path, "rt", encoding="latin-1") as file:
        assert file.read() == "äöü" * 100
    with open_comp(str(path), "ab") as file:
        file.write(b"more")
    with open_comp(path) as file, datadings.tools.compression.open_comp(path) as theirs:
        assert file.read() == theirs.read()
    with open_comp(path, "rt", 5, "latin-1") as file:
        assert file.read().endswith("more")


def test_level_decides_the_size(tmp_path):
    sizes = []
    for level in (0, 9):
        with open_comp(tmp_path / "a.gz", "wb", level) as file:
            file.write(bytes(100_000))
        sizes.append((tmp_path / "a.gz").stat().st_size)
    assert sizes[0] > 100_000 > sizes[1]


@pytest.fixture
def mat(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.arange(6).reshape(2, 3), "s": {"b": 1.5, "a": "text"}})
    return path


@pytest.mark.parametrize(
    "give", [str, lambda path: path, lambda path: path.read_bytes()], ids=["str", "path", "data"]
)
def test_matlab_file_is_loaded_as_in_datadings(mat, give):
    ours, theirs = loadmat(give(mat)), datadings.tools.matlab.loadmat(give(mat))
    assert repr(ours) == repr(theirs)
    assert ours["x"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_matlab_data_may_be_an_open_file_or_any_buffer(mat):
    data = mat.read_bytes()
    for source in (io.BytesIO(data), memoryview(data), bytearray(data)):
        assert loadmat(source)["x"].shape == (2, 3)


def test_missing_matlab_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mat"):
        loadmat(tmp_path / "none.mat")


def test_fields_are_those_of_datadings(mat):
    array = loadmat(mat)["s"]
    for ignore in ((), ("a",), ["a", "b"]):
        ours = list(iter_fields(array, ignore))
        assert repr(ours) == repr(list(datadings.tools.matlab.iter_fields(array, ignore)))
    assert [name for name, _ in iter_fields(array[0, 0])] == ["b", "a"]


def test_array_without_fields_is_told():
    with pytest.raises(TypeError, match="float64 has no fields"):
        next(iter_fields(np.zeros(2)))


@given(shape=st.tuples(*[st.integers(0, 9)] * 3), height=st.integers(1, 10), width=st.integers(1, 10))
def test_tiles_are_those_of_datadings(shape, height, width):
    image = np.arange(np.prod(shape)).reshape(shape)
    ours = list(tools.split_array(image, height, width))
    theirs = list(reference.split_array(image, height, width))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one, other)
        assert not np.shares_memory(one, image)


def test_tiles_are_cut_along_the_axes_given():
    image = np.arange(24).reshape(4, 6)
    tiles = list(tools.split_array(image, 3, 4, indices=(0, 1)))
    assert [tile.shape for tile in tiles] == [(3, 4), (3, 2), (1, 4), (1, 2)]
    assert tiles[1].tolist() == image[:3, 4:].tolist()


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-1, 2)])
def test_empty_tiles_are_refused(size):
    with pytest.raises(
        ValueError, match=f"tiles must have at least 1 by 1 pixels, not {size[0]} by {size[1]}"
    ):
        next(tools.split_array(np.zeros((1, 2, 2)), *size))


def fake_gdal(monkeypatch, bands):
    dataset = SimpleNamespace(
        RasterCount=len(bands), GetRasterBand=lambda i: SimpleNamespace(ReadAsArray=lambda: bands[i - 1])
    )
    gdal = SimpleNamespace(
        GA_ReadOnly=0, GetLastErrorMsg=lambda: "no such format", Open=lambda *_: dataset if bands else None
    )
    package = ModuleType("osgeo")
    package.gdal = gdal
    monkeypatch.setitem(sys.modules, "osgeo", package)


@pytest.mark.parametrize("dtype", [{}, {"type": np.int32}], ids=str)
def test_bands_of_a_tiff_file_are_stacked_as_in_datadings(monkeypatch, dtype):
    fake_gdal(monkeypatch, [np.full((2, 3), value) for value in (1, 2)])
    ours, theirs = tools.tiff_to_nd_array("a.tif", **dtype), reference.tiff_to_nd_array("a.tif", **dtype)
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def test_tiff_file_that_cannot_be_read_is_told(monkeypatch, tmp_path):
    fake_gdal(monkeypatch, [])
    with pytest.raises(ReadError, match=r"GDAL cannot read .*a\.tif: no such format"):
        tools.tiff_to_nd_array(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("module", "use", "advice"),
    [
        ("osgeo", lambda: tools.tiff_to_nd_array("x"), "python3-gdal"),
        ("scipy.io", lambda: loadmat("x"), r"pip install ddfast\[matlab\]"),
    ],
)
def test_error_says_how_to_install_what_is_missing(monkeypatch, module, use, advice):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=advice) as caught:
        use()
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize("name", ["ImageClassificationData", "ADE20kData", "ANP460Experiment"])
@pytest.mark.parametrize(
    "texts", [{}, {"block": "Note:", "prefix": "Keys:", "postfix": "    End."}], ids=["", "texts"]
)
def test_keys_are_documented_as_in_datadings(name, texts):
    function = getattr(types, name)
    assert tools.document_keys(function, **texts) == reference.document_keys(function, **texts)


def test_keys_may_have_braces():
    assert '``"{x}"``' in tools.document_keys(lambda a: {"{x}": a})


def test_cached_property_is_that_of_the_standard_library():
    assert cached_property is functools.cached_property
