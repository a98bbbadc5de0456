"""Write the parts of the documents that are made from the code: ``python docs/build.py``."""

import re
from pathlib import Path

from geomgen.utils.discovery import model_table

PAGE = Path(__file__).parent / "models.md"


def main() -> None:
    """Put today's table of models between the marks of its page."""
    table = f"<!-- table -->\n{model_table().to_markdown()}\n<!-- end -->"
    text = PAGE.read_text()
    PAGE.write_text(re.sub(r"<!-- table -->.*<!-- end -->", lambda _: table, text, flags=re.S))


if __name__ == "__main__":
    main()
