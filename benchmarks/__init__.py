"""Benchmarks: quality against the papers, speed against peers."""
