"""How ddfast behaves as the work grows: `python -m benchmarks.scaling`."""
