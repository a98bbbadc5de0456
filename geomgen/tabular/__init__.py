"""Tables of mixed types: an invertible encoder, and a generator from frame to frame."""

from geomgen.tabular.encoder import TableEncoder
from geomgen.tabular.generator import TableGenerator

__all__ = ["TableEncoder", "TableGenerator"]
