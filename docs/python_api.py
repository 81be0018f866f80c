"""Write docs/python-api.md from the docstrings of the public names: ``python docs/python_api.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import qa_search

PAGE = Path(__file__).with_name("python-api.md")
_HEAD = """# Python API

Written by `python docs/python_api.py` from the docstrings of everything in `qa_search.__all__`.
"""


def page() -> str:
    """Return the page: functions, classes, records and errors, in this order."""
    public = {name: getattr(qa_search, name) for name in qa_search.__all__}
    errors = {name: item for name, item in public.items() if inspect.isclass(item) and issubclass(item, Exception)}
    records = {name: item for name, item in public.items() if is_dataclass(item)}
    functions = {name: item for name, item in public.items() if inspect.isfunction(item)}
    classes = {name: item for name, item in public.items() if name not in {**errors, **records, **functions}}
    parts = [_HEAD, *_section("Functions", functions), *_section("Classes", classes), *_section("Records", records)]
    parts += ["## Errors\n", _block(inspect.getdoc(inspect.getmodule(next(iter(errors.values())))) or "")]
    parts += [f"- `{name}`: {_first_line(item)}" for name, item in errors.items()]
    return "\n".join(parts) + "\n"


def _section(heading: str, items: Mapping[str, object]) -> list[str]:
    parts = [f"## {heading}\n"]
    for name, item in items.items():
        parts.append(f"### {name}\n")
        if inspect.isfunction(item):
            parts.append(_signature(name, item))
        parts.append(_block(inspect.getdoc(item) or ""))
        if inspect.isclass(item):
            parts += [f"- `{row.name}`: `{row.type}`" for row in fields(item)] if is_dataclass(item) else []
            parts += _methods(name, item)
        parts.append("")
    return parts


def _methods(owner: str, item: type) -> list[str]:
    parts = []
    for name, member in vars(item).items():
        function = member.__func__ if isinstance(member, classmethod) else member
        if isinstance(member, property) and not name.startswith("_"):
            parts.append(f"\n#### {owner}.{name}\n\n{_block(inspect.getdoc(member) or '')}")
        elif inspect.isfunction(function) and not name.startswith("_"):
            parts.append(
                f"\n#### {owner}.{name}\n\n{_signature(name, function)}\n{_block(inspect.getdoc(function) or '')}"
            )
    return parts


def _signature(name: str, function: Callable[..., object]) -> str:
    """Return how a function is called, a parameter a line."""
    signature = inspect.signature(inspect.unwrap(function))
    lines, star = [], False
    for item in signature.parameters.values():
        if item.kind is item.KEYWORD_ONLY and not star:
            lines.append("    *,")
            star = True
        kind = "" if item.annotation is item.empty else f": {item.annotation}"
        default = "" if item.default is item.empty else f" = {item.default!r}"
        stars = "**" if item.kind is item.VAR_KEYWORD else ""
        lines.append(f"    {stars}{item.name}{kind}{default},")
    given = "\n" + "\n".join(lines) + "\n" if lines else ""
    returned = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}"
    return f"```python\n{name}({given}){returned}\n```\n"


def _block(text: str) -> str:
    """Return a docstring as Markdown: what is indented stays as it is written."""
    lines = [f"```text\n{part}\n```" if part.startswith(" ") else part for part in re.split(r"\n{2,}", text)]
    return re.sub(r"``([^`]+)``", r"`\1`", "\n\n".join(_listed(part) for part in lines)) + "\n"


def _listed(part: str) -> str:
    """Turn the sections of a docstring (``Args:``, ``Returns:``, ``Raises:``) into lists."""
    head, _, rest = part.partition("\n")
    if head not in ("Args:", "Returns:", "Raises:", "Yields:"):
        return part
    rows = re.split(r"\n    (?=\S)", "\n" + rest)[1:]
    return f"**{head}**\n\n" + "\n".join("- " + " ".join(row.split()) for row in rows)


def _first_line(item: object) -> str:
    return (inspect.getdoc(item) or "").partition("\n")[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
