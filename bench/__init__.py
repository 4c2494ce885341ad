"""Measurements of the project beside the bare libraries it stands on, in the same run.

Every bench prints figures and a ratio. Absolute rates move with the machine and with what else runs
on it; ratios inside one run do not, so they are what we compare and write into docs/performance.md.
"""
