"""Images as arrays: in tiles, and from TIFF files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ddfast.errors import MissingPackageError, ReadError


def split_array(
    img: np.ndarray, v_pixels: int, h_pixels: int, indices: tuple[int, int] = (1, 2)
) -> Iterator[np.ndarray]:
    """Copies of the tiles of an image, row by row. Tiles at the right and bottom edges may be smaller.

    Parameters:
        img: the image.
        v_pixels: height of a tile.
        h_pixels: width of a tile.
        indices: the axes of rows and columns.

    Raises:
        ValueError: the height or width of a tile is below 1.
    """
    if v_pixels < 1 or h_pixels < 1:
        raise ValueError(f"tiles must have at least 1 by 1 pixels, not {v_pixels} by {h_pixels}")
    rows, columns = indices
    window = [slice(None)] * img.ndim
    for top, left in product(range(0, img.shape[rows], v_pixels), range(0, img.shape[columns], h_pixels)):
        window[rows] = slice(top, top + v_pixels)
        window[columns] = slice(left, left + h_pixels)
        yield img[tuple(window)].copy()


def tiff_to_nd_array(
    file_path: str | os.PathLike[str],
    type: DTypeLike = np.uint8,  # the name in datadings
) -> np.ndarray:
    """All bands of a TIFF file, stacked as ``(bands, height, width)``; needs GDAL.

    Parameters:
        file_path: the file.
        type: dtype of the result.

    Raises:
        MissingPackageError: GDAL is not installed.
        ReadError: GDAL cannot read the file.
    """
    try:
        from osgeo import gdal
    except ImportError as error:
        raise MissingPackageError(
            "Reading TIFF files needs GDAL with its Python bindings: `conda install gdal`, Debian's package "
            "python3-gdal, or `pip install ddfast[geo]` if the library (libgdal-dev) is installed"
        ) from error
    path = os.fspath(file_path)
    dataset: Any = gdal.Open(path, gdal.GA_ReadOnly)
    if dataset is None:
        raise ReadError(f"GDAL cannot read {path}: {gdal.GetLastErrorMsg() or 'no reason given'}")
    bands = [dataset.GetRasterBand(band).ReadAsArray() for band in range(1, dataset.RasterCount + 1)]
    return np.array(bands).astype(type)
