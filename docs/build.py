"""Write the parts of the documents that are made from the code: ``python docs/build.py``."""

import re
from pathlib import Path

from geomgen.utils.discovery import model_table

PAGES = {"numeric": "models.md", "sequence": "sequences.md"}


def main() -> None:
    """Put today's tables of models between the marks of their pages."""
    for kind, name in PAGES.items():
        page = Path(__file__).parent / name
        table = f"<!-- table -->\n{model_table(kind).to_markdown()}\n<!-- end -->"
        text = re.sub(
            r"<!-- table -->.*<!-- end -->", lambda _, t=table: t, page.read_text(), flags=re.S
        )
        page.write_text(text)


if __name__ == "__main__":
    main()
