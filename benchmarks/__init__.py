"""Measured speed and memory: `python -m benchmarks` writes JSON under `results/`."""
