"""Bindings of the C kernels."""

import os
import sys

_FOLDER = os.path.dirname(__file__)  # noqa: PTH120  # pathlib is slow to import

if not any(name.endswith(".so") for name in os.listdir(_FOLDER)):  # noqa: PTH208
    raise ImportError(
        f"{_FOLDER} has no compiled modules: Python found the source folder of ddfast before the installed package. "
        "Run the program in another folder, or run "
        f"`{sys.executable} -m pip install -e .` in the source folder to compile them"
    )
