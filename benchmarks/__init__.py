"""Measurements of ddfast. The modules are scripts; `benchmarks.peers` is a command, run as a module."""
