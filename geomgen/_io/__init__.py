"""Tables in files: CSV as people have it, and Parquet, in; streams of rows out."""

from geomgen._io.reading import Reading, read_table
from geomgen._io.writing import check_output, open_table

__all__ = ["Reading", "check_output", "open_table", "read_table"]
