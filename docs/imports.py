"""Draw which folder of the package imports which: ``python docs/imports.py`` writes the picture in architecture.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "qa_search"
PAGE = Path(__file__).with_name("architecture.md")
_PICTURE = re.compile(r"(?<=<!-- imports: python docs/imports.py -->\n).*(?=<!-- end of imports -->)", re.DOTALL)
ORDER = (
    "types",
    "errors",
    "util",
    "archives",
    "embedders",
    "index",
    "search",
    "insights",
    "builder",
    "evaluation",
    "review",
    "interfaces",
)


def edges() -> set[tuple[str, str]]:
    """Return every pair of a folder and another one that it imports."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qa_search."):
                found.add((own, str(node.module).split(".")[1]))
    return {(own, other) for own, other in found if own != other and not own.startswith("__")}


def picture() -> str:
    """Return the picture as a Mermaid graph, arrows from a folder to those that it imports."""
    drawn = sorted(edges(), key=lambda edge: (ORDER.index(edge[0]), ORDER.index(edge[1])))
    lines = [f"    {own} --> {other}" for own, other in drawn if other not in ("types", "errors")]
    return "```mermaid\ngraph RL\n" + "\n".join(lines) + "\n```\n(everything imports `types` and `errors`)\n"


def page() -> str:
    """Return architecture.md with the picture as the imports are now."""
    return _PICTURE.sub(lambda _: picture(), PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
