"""Benchmarks: `make bench` runs them all and prints a table; each figure stands beside a floor measured in the same run on the same machine."""
