"""Scaling of ddfast: `python -m benchmarks.scaling`."""
