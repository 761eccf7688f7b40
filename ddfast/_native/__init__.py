"""Bindings of the C kernels."""

import os

_FOLDER = os.path.dirname(__file__)  # noqa: PTH120  # pathlib is slow to import

if not any(name.endswith(".so") for name in os.listdir(_FOLDER)):  # noqa: PTH208
    raise ImportError(
        f"{_FOLDER} has no compiled modules: Python found the source folder of ddfast before the installed package. "
        "Change to another folder, or compile in the source folder with `python setup.py build_ext --inplace`"
    )
