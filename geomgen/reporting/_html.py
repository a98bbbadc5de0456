"""Elements of a page that needs nothing from outside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["figure", "fragment", "heading", "note", "page", "paragraph", "table", "verdicts"]

_DPI = 110
_CSS = """
.geomgen { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; background: #fff;
  max-width: 68rem; margin: 0 auto; padding: 1.5rem; }
.geomgen h1 { font-size: 1.7rem; margin: 0 0 .2rem; }
.geomgen h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-bottom: .2rem;
  border-bottom: 1px solid #d5dbe3; }
.geomgen p { margin: .5rem 0; max-width: 48rem; }
.geomgen .note { color: #566373; font-size: .9rem; }
.geomgen nav a { margin-right: 1rem; color: #0b5cad; }
.geomgen ul.verdicts { list-style: none; margin: 1rem 0; padding: 0; display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); }
.geomgen ul.verdicts li { border: 1px solid #d5dbe3; border-left: .4rem solid #8a94a3;
  border-radius: .3rem; padding: .5rem .8rem; }
.geomgen li.good { border-left-color: #1a7f37 !important; }
.geomgen li.poor { border-left-color: #b35900 !important; }
.geomgen li.bad { border-left-color: #c0202b !important; }
.geomgen li strong { display: block; }
.geomgen .scroll { overflow-x: auto; }
.geomgen table { border-collapse: collapse; font-size: .88rem; margin: .6rem 0; }
.geomgen th, .geomgen td { padding: .25rem .7rem; text-align: right;
  border-bottom: 1px solid #e6eaef; font-variant-numeric: tabular-nums; }
.geomgen thead th { background: #f3f5f8; border-bottom: 1px solid #b9c2ce; }
.geomgen th[scope=row], .geomgen td.text { text-align: left; font-weight: normal; }
.geomgen td.text { max-width: 38rem; overflow-wrap: anywhere; }
.geomgen figure { margin: 1rem 0; }
.geomgen figure img { max-width: 100%; height: auto; }
.geomgen figcaption { color: #566373; font-size: .9rem; max-width: 48rem; }
@media print { .geomgen nav { display: none; } .geomgen figure { break-inside: avoid; } }
"""


def heading(text: str, anchor: str) -> str:
    """Begin a section."""
    return f'<h2 id="{escape(anchor)}">{escape(text)}</h2>'


def paragraph(text: str) -> str:
    """Write a sentence or some."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """Write what helps to read the figures."""
    return f'<p class="note">{escape(text)}</p>'


def verdicts(rows: pd.DataFrame) -> str:
    """List what was found: the index is the question, with columns status and verdict."""
    items = [
        f'<li class="{escape(row.status)}"><strong>{escape(str(name))}</strong>'
        f"{escape(row.verdict)}</li>"
        for name, row in rows.iterrows()
    ]
    return f'<ul class="verdicts">{"".join(items)}</ul>'


def table(frame: pd.DataFrame) -> str:
    """Write a table: numbers to four digits, texts to the left."""
    first = "" if frame.index.name is None else frame.index.name
    head = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in [first, *frame.columns])
    body = [
        f'<tr><th scope="row">{escape(str(name))}</th>{"".join(map(_cell, row))}</tr>'
        for name, row in zip(frame.index, frame.itertuples(index=False), strict=True)
    ]
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f'<td class="text">{escape(value)}</td>'
    if isinstance(value, bool | np.bool_) or value is None:
        return f"<td>{'' if value is None else 'yes' if value else 'no'}</td>"
    if isinstance(value, int | np.integer):
        return f"<td>{value}</td>"
    return f"<td>{'–' if not np.isfinite(value) else format(value, '.4g')}</td>"


def figure(drawn: Any, caption: str) -> str:
    """Put a matplotlib figure into the page itself."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    text = escape(caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def fragment(title: str, sections: Iterable[tuple[str, str, list[str]]]) -> str:
    """Join titled sections to one element, with a list of links to them."""
    kept = [section for section in sections if section[2]]
    links = "".join(f'<a href="#{escape(a)}">{escape(text)}</a>' for text, a, _ in kept)
    body = "".join(heading(text, anchor) + "".join(parts) for text, anchor, parts in kept)
    return (
        f'<style>{_CSS}</style><div class="geomgen"><h1>{escape(title)}</h1>'
        f"<nav>{links}</nav>{body}</div>"
    )


def page(title: str, body: str) -> str:
    """Make a whole document."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head><body>{body}</body></html>\n"
    )
