"""Measurements of ddfast. The modules are scripts; `benchmarks.peers` is a command, run as a module.

Running a module puts the root of the repository on the import path, and with it the source tree of ddfast. If the
source tree was not built, the installed ddfast is imported instead.
"""
# ruff: noqa: PTH100, PTH118, PTH120, PTH208 - imported on the way to the first sample, which is timed

import os.path
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if not any(name.endswith(".so") for name in os.listdir(os.path.join(_ROOT, "ddfast", "_native"))):
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _ROOT]
