"""Decodes one file by a library, in a separate process with limited memory and time.

``python -P decode_process.py KIND FILE BYTES SECONDS`` writes JSON Lines: a list is a row of cells, an object says
what follows ({"sheet": NAME}, {"html": TEXT}, {"text": TEXT, "bold": [[LINE, SIZE], ...]}) or why it ends
({"error": REASON}).

These libraries were not written for files that are made to harm them: of a sheet with two cells far apart, calamine
allocates all between them and aborts. Nothing of qa_search is imported here, to start in no time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

_FORCE_BOLD = 1 << 18  # a flag of PDF's fonts


def workbook(path: str) -> Iterator[object]:
    """Yield each sheet's name, and whether people see it, then its rows; hidden sheets come without rows."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    with CalamineWorkbook.from_path(path) as book:
        for sheet in book.sheets_metadata:
            if sheet.typ is SheetTypeEnum.WorkSheet:
                if sheet.visible is not SheetVisibleEnum.Visible:
                    yield {"sheet": sheet.name, "hidden": "yes"}
                    continue
                yield {"sheet": sheet.name}
                for row in book.get_sheet_by_name(sheet.name).iter_rows():
                    yield [_cell(value) for value in row]


def parquet(path: str) -> Iterator[object]:
    """Yield the names of the columns, then the rows."""
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(path, memory_map=False)
    yield list(table.schema_arrow.names)
    for batch in table.iter_batches(batch_size=100, use_threads=False):
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield [_value(value) for value in row]


def word(path: str) -> Iterator[object]:
    """Yield the document as HTML."""
    import mammoth

    with open(path, "rb") as stream:  # noqa: PTH123 - this process imports as little as it can
        found = mammoth.convert_to_html(stream, convert_image=mammoth.images.img_element(lambda image: {"src": ""}))
        yield {"html": found.value}


def pdf(path: str) -> Iterator[object]:
    """Yield the text of each page, and which of its lines are bold."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        yield {
            "error": "locked by a password: save it without one first"
            if "password" in str(error).lower()
            else str(error)
        }
        return
    for number in range(len(document)):
        page = document[number]
        text = page.get_textpage()
        yield {"text": text.get_text_bounded(), "bold": _bold_lines(text)}
        text.close()
        page.close()


def _bold_lines(page: Any) -> list[tuple[str, float]]:
    """Return the lines of a page whose first, middle and last letters are bold, each with the size of its font."""
    from pypdfium2 import raw

    whole = page.get_text_range()
    if len(whole) != page.count_chars():
        return []  # the places of its letters are unknown
    found = []
    start = 0
    for line in whole.split("\n"):
        text = line.strip()
        first = start + line.find(text)
        start += len(line) + 1
        last = len(text) - 1
        if text and all(_is_bold(page, first + place) for place in {0, last // 2 - (text[last // 2] == " "), last}):
            found.append((text, round(raw.FPDFText_GetFontSize(page.raw, first), 1)))
    return found


def _is_bold(page: Any, place: int) -> bool:
    """Return whether a letter's font is named as a bold one, or says that it is."""
    import ctypes

    from pypdfium2 import raw

    flags = ctypes.c_int(0)
    buffer = ctypes.create_string_buffer(200)
    size = raw.FPDFText_GetFontInfo(page.raw, place, buffer, len(buffer), flags)
    name = buffer.raw[: max(min(size, len(buffer)) - 1, 0)].lower()
    return bool(flags.value & _FORCE_BOLD) or any(word in name for word in (b"bold", b"black", b"heavy", b"demi"))


def _cell(value: Any) -> str:
    """Write a cell as a sheet shows it: whole numbers without a point, dates as ISO 8601."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _value(value: Any) -> Any:
    """Return a value that JSON can hold; None for bytes that are not text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _value(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


KINDS: dict[str, Callable[[str], Iterator[object]]] = {
    "workbook": workbook,
    "parquet": parquet,
    "word": word,
    "pdf": pdf,
}


def main() -> None:
    """Decode, and write what comes out."""
    kind, path, memory, seconds = sys.argv[1:]
    try:
        import resource
    except ImportError:  # not every system has it
        pass
    else:
        for kind_of_limit, most in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_CORE, "0"),
        ):
            hard = resource.getrlimit(kind_of_limit)[1]
            limit = int(most) if hard == resource.RLIM_INFINITY else min(int(most), hard)
            resource.setrlimit(kind_of_limit, (limit, limit))
    write = sys.stdout.write
    try:
        for item in KINDS[kind](path):
            write(json.dumps(item, default=str) + "\n")
    except MemoryError:
        write('{"error": "reading it takes more memory than it may"}\n')
    except RecursionError:
        write('{"error": "nested too deep"}\n')
    except ImportError as error:
        write(json.dumps({"missing": str(error)}) + "\n")
    except Exception as error:
        write(json.dumps({"error": f"{type(error).__name__}: {str(error)[:200]}"}) + "\n")


if __name__ == "__main__":
    main()
