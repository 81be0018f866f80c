"""A file that no reader takes -> the error that says what it is, and the way out: which program converts it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qa_search.archives.base import ArchiveFile
from qa_search.archives.formats.roles import is_weak, role_of
from qa_search.archives.formats.tables import has_tabs
from qa_search.errors import UnknownFormatError

_BY_PANDOC = "convert it first, for example with `pandoc FILE -o faq.md`"
_BY_OFFICE = "convert it first with `soffice --headless --convert-to docx FILE` (LibreOffice)"
_AS_DOCX = "save it as .docx or as HTML first"
_OCR = "recognise its text first, for example with `ocrmypdf --image-dpi 300 FILE faq.pdf`"
_TRANSCRIBE = "write down what is said first, or have a program write it, for example `whisper FILE`"
_UNPACK = "unpack it first with `{}`, and name the folder that comes out"
_UNPACK_ALONE = "unpack it first with `{} FILE`"
_TAR = _UNPACK.format("tar -xf FILE")
_MAILBOX = "turn it into mailboxes with `readpst -o folder FILE` (pst-utils), and name that folder"
_ACCESS = (
    "export its tables with `mdb-export FILE TABLE > faq.csv` (mdbtools; `mdb-tables FILE` lists them), or from Access"
)
_MESSAGE = "turn it into .eml with `msgconvert FILE` (libemail-outlook-message-perl)"
_ADDRESSES = "such files have addresses or dates, no questions"
_DECRYPT = "decrypt it first with `gpg --decrypt-files FILE`"
_EBOOK = "convert it first with `ebook-convert FILE faq.epub` (Calibre)"
_FROM_APPLE = "export it as {} from the program that made it"
# By its first bytes: where they stand, what they are, what the file is, the way out.
_BEGINNINGS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"!BDN", "a mailbox of Outlook", _MAILBOX),
    (4, b"Standard Jet DB", "a database of Access", _ACCESS),
    (4, b"Standard ACE DB", "a database of Access", _ACCESS),
    (0, b"PGDMP", "a dump of PostgreSQL in its own format", "turn it into SQL with `pg_restore -f faq.sql FILE`"),
    (0, b"TAPE", "a backup of SQL Server", "restore it there, and export the tables as CSV"),
    (0, b"Rar!", "a RAR archive", _UNPACK.format("unrar x FILE")),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4", _UNPACK_ALONE.format("unlz4 -m")),
    (0, b"\x1f\x9d", "compressed with compress", _UNPACK_ALONE.format("gunzip")),
    (0, b"ITSF", "a help file of Windows (CHM)", _UNPACK.format("7z x -ohelp FILE")),
    (0, b"\xffWPC", "a WordPerfect document", _BY_OFFICE),
    (0, b"{\\rtf", "RTF", _BY_PANDOC),
    (0, b"%!PS", "PostScript", "convert it first with `ps2pdf FILE`"),
    (0, b"AT&TFORM", "a DjVu document", "convert it first with `djvutxt FILE faq.txt`"),
    (60, b"BOOKMOBI", "a book of Kindle", _EBOOK),
    (0, b"bplist00", "a property list of Apple's programs", "it holds settings, as a rule"),
    (0, b"WARC/", "a web archive (WARC)", "unpack its pages first, for example with `warcat extract FILE`"),
    (0, b"\xff\xd8\xff", "a picture", _OCR),
    (0, b"\x89PNG", "a picture", _OCR),
    (0, b"GIF8", "a picture", _OCR),
    (0, b"II*\0", "a picture", _OCR),
    (0, b"MM\0*", "a picture", _OCR),
    (8, b"WEBP", "a picture", _OCR),
    (4, b"ftyp", "a film or a sound", _TRANSCRIBE),
    (0, b"ID3", "a sound", _TRANSCRIBE),
    (0, b"OggS", "a sound", _TRANSCRIBE),
    (8, b"WAVE", "a sound", _TRANSCRIBE),
    (0, b"-----BEGIN PGP", "encrypted", _DECRYPT),
)  # fmt: skip
# By the end of its name, where the first bytes do not tell.
_SUFFIXES: dict[str, str] = {
    **dict.fromkeys((".rst", ".org", ".tex", ".rtf", ".odt", ".textile", ".docbook"), _BY_PANDOC),
    **dict.fromkeys((".adoc", ".asciidoc"), "convert it to HTML first, for example with `asciidoctor FILE`"),
    **dict.fromkeys((".ppt", ".pptx", ".odp"), _AS_DOCX),
    ".doc": f"{_AS_DOCX}, or {_BY_OFFICE}",
    **dict.fromkeys((".wpd", ".wps", ".sxw", ".abw"), _BY_OFFICE),
    ".toml": "write it as JSON or YAML first",
    ".msg": _MESSAGE,
    **dict.fromkeys((".pst", ".ost"), _MAILBOX),
    ".olm": "import it into Thunderbird or Apple Mail, and export the folder as mbox from there",
    **dict.fromkeys((".dbx", ".nsf"), "import it into Thunderbird, and export the folder as mbox from there"),
    **dict.fromkeys((".mdb", ".accdb"), _ACCESS),
    ".dbf": "convert it first with `soffice --headless --convert-to csv FILE` (LibreOffice)",
    **dict.fromkeys((".fp7", ".fmp12"), "export the table as CSV from FileMaker"),
    **dict.fromkeys((".ibd", ".frm", ".myd", ".myi"), "dump the database with `mysqldump DATABASE > faq.sql`"),
    **dict.fromkeys((".bak", ".mdf", ".ldf"), "export the tables as CSV from the program that made it"),
    ".bson": "turn it into JSON Lines with `bsondump FILE > faq.jsonl`",
    ".rdb": "export what it holds as JSON from Redis",
    ".numbers": _FROM_APPLE.format("CSV or Excel"),
    ".pages": _FROM_APPLE.format("Word (.docx)"),
    ".key": _FROM_APPLE.format("PDF"),
    **dict.fromkeys((".mobi", ".azw", ".azw3", ".lit", ".prc"), _EBOOK),
    ".chm": _UNPACK.format("7z x -ohelp FILE"),
    ".hlp": "convert it first with `helpdeco FILE`",
    **dict.fromkeys((".rar", ".r00"), _UNPACK.format("unrar x FILE")),
    ".lzma": _UNPACK_ALONE.format("unlzma"),
    ".lz": _UNPACK_ALONE.format("lzip -d"),
    ".cpio": "unpack it first with `cpio -id < FILE`, and name the folder that comes out",
    **dict.fromkeys((".iso", ".dmg", ".cab", ".arj", ".lzh"), _UNPACK.format("7z x FILE")),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".heic"), _OCR),
    **dict.fromkeys((".mp3", ".mp4", ".m4a", ".wav", ".ogg", ".mov", ".avi", ".mkv", ".webm"), _TRANSCRIBE),
    **dict.fromkeys((".gpg", ".pgp", ".asc"), _DECRYPT),
    **dict.fromkeys((".feather", ".arrow", ".avro", ".orc", ".pkl", ".rds", ".sav", ".dta"),
                    "write it as CSV or Parquet first, with the program that made it"),
    ".ipynb": "save it as Markdown or HTML from Jupyter first",
    **dict.fromkeys((".vcf", ".ics"), _ADDRESSES),
}  # fmt: skip
_FIELD = re.compile(r"^[ \t]{0,3}(?P<name>[^\W\d_][\w /-]{0,30}): ", re.MULTILINE)
_FIELDS = "id", "title", "date", "url", "tags", "category", "thread", "body"
_FEWEST_FIELDS = 3
_MOST_FIELDS = 12
_LOOKED_AT = 20_000
_MONGO_ARCHIVE = b"\x6d\xe2\x99\x81"
_FROM_MONGO = (
    "restore it with `mongorestore --archive=FILE`, and export each collection with "
    "`mongoexport --db=DATABASE --collection=COLLECTION --out=faq.jsonl`"
)
# How a document of MongoDB begins: its length, the kind of its first value, and the name of that.
_BSON = re.compile(rb"(?s)[\x05-\xff]..\0[\x01-\x13\x7f\xff][\w$.-]{1,100}\0")
_LARGEST_BSON = 16 << 20
# The beginnings of files that are text.
_OF_TEXTS = (b"{\\rtf", b"%!PS", b"WARC/", b"-----BEGIN PGP")
# A tar archive that is compressed in a way that is not read.
_PACKED_TAR = re.compile(r"\.(?:tar\.(?:lz|lz4|lzma|lzo|br|z)|tlz)$")
_COMPRESSED = re.compile(r"\.(?:gz|bz2|xz|zst)$")
_NAMED_PACKED = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tzst|gz|bz2|xz|zst|zip|7z)$")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOOKED_FOR = (
    "What was looked for: lines that begin with Q: and A: (or Question:, Frage:, ...); numbered questions "
    "(1. How ...?); a line that asks above each answer, in a file whose name or title says FAQ; a table whose first "
    "line names its columns, such as question,answer; JSON with such names. Write Q: before each question and A: "
    "before each answer, or name the columns of a table with field_map={'question': COLUMN, 'answer': COLUMN}."
)


def _is_bson(head: bytes) -> bool:
    """Return whether bytes begin as a document of MongoDB does, and end as one where it is short."""
    size = int.from_bytes(head[:4], "little")
    return _BSON.match(head) is not None and size <= _LARGEST_BSON and head[size - 1 : size] in (b"", b"\0")


def _name_of_content(file: ArchiveFile) -> str:
    """Return the name in lower case without the suffixes of what was unpacked: ``a.tar`` for ``a.tar.gz``."""
    name = file.name.lower()
    for _ in range(file.unpacked):
        name = _COMPRESSED.sub("", name)
    return name


def _fields_in(text: str) -> list[str]:
    """Return the names before colons, if several are those of a record's fields."""
    names = list(dict.fromkeys(match["name"] for match in _FIELD.finditer(text)))[:_MOST_FIELDS]
    roles = {known[0] for name in names if (known := role_of(name)) and not is_weak(known[1])}
    return names if len(roles.intersection(_FIELDS)) >= _FEWEST_FIELDS else []


def refusal(file: ArchiveFile, formats: Iterable[str]) -> UnknownFormatError:
    """Make the error for a file that no reader takes; ``formats`` are the names of what is read."""
    known = f"Known formats: {', '.join(formats)}; each also in .gz, .bz2, .xz, .zst, .tar, .zip or .7z."
    if not file.head:
        return file.unknown("an empty file", "Look whether it was saved or downloaded whole.")
    if _PACKED_TAR.search(file.name.lower()):
        return file.unknown(f"a tar archive, which is not read: {_TAR}", "")
    for place, beginning, kind, way_out in _BEGINNINGS:
        if file.head.startswith(beginning, place) and (file.head_text is None or beginning in _OF_TEXTS):
            return file.unknown(f"{kind}, which is not read: {way_out}", "")
    if file.suffix in _SUFFIXES:
        return file.unknown(f"{file.suffix} files are not read: {_SUFFIXES[file.suffix]}", "")
    if file.head.startswith(_OLD_OFFICE):
        return file.unknown(f"an old Office document, which is not read: {_AS_DOCX}, or {_BY_OFFICE}", "")
    if file.head.startswith(_MONGO_ARCHIVE):
        return file.unknown(f"an archive of mongodump, which is not read: {_FROM_MONGO}", "")
    if _is_bson(file.head):
        return file.unknown(f"a dump of MongoDB (BSON), which is not read: {_SUFFIXES['.bson']}", "")
    if packed := _NAMED_PACKED.search(_name_of_content(file)):
        return file.unknown(
            f"named {packed[0]}, but its content is not packed so", "Look whether it was saved or downloaded whole."
        )
    if file.head_text is None:
        return file.unknown("binary data, not an archive of posts", known)
    if has_tabs(file.head_text):
        columns = "field_map={'question': '1', 'answer': '2'}"
        return file.unknown("lines with tabs, and no header", f"Name the columns by number: {columns}.")
    if fields := _fields_in(file.head_text[:_LOOKED_AT]):
        return file.unknown(
            f"lines of fields ({', '.join(fields)}), as programs write tickets and other records",
            "Export them as CSV or JSON, with a column or a name for each field; or write Q: before what was asked and "
            "A: before what was answered.",
        )
    start = " ".join(file.head_text[:200].split())[:40]
    return file.unknown(f"a text without recognisable questions and answers (it begins {start!r})", _LOOKED_FOR)
