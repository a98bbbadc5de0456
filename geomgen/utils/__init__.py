"""Utilities."""

from geomgen.utils import discovery

__all__ = ["discovery"]
