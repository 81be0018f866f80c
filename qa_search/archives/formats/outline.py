"""A page's outline -> its questions: headings, folded sections, definition lists and the like, each with what follows.

The page is marked where a title begins and ends, turned into text once, and parted at the marks: so an answer reads as
it would on its own, whatever markup parts it from its question.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from qa_search.archives.formats.found_dates import date_in
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.labels import above_footer, asks, bare_answer, bare_question, names_faq, seems_to_ask
from qa_search.archives.formats.trees import drop, words

# Characters that no text has, as Unicode gives them no meaning: around a title's number, behind a title, at an end.
_OPEN, _NUMBERED, _CLOSE, _END = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
_MARKS = re.compile(f"[{_OPEN}{_NUMBERED}{_CLOSE}{_END}]")
_TITLE = re.compile(f"{_OPEN}(\\d+){_NUMBERED}([^{_CLOSE}]*){_CLOSE}")
_HEADINGS = tuple(f"h{level}" for level in range(1, 7))
_FURNITURE = frozenset("nav header footer aside form button noscript script style template iframe svg".split())
_FURNITURE_ROLES = frozenset("navigation banner contentinfo search complementary".split())
_FURNITURE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:nav(?:bar|igation)?|breadcrumbs?|footer|\w{0,20}sidebar\w{0,20}|localtoc|cookie\S*|share|social|related(?:-\S+)?|toc|"
    r"table-of-contents|pagination|comments?|advert\S*|modal\S*|popup\S*|dialog|help-container|mdbook-help\S*|"
    r"mw-editsection|catlinks)(?:$|[\s_-])",
    re.IGNORECASE,
)
_LINE_ENDS = frozenset(("br", "hr", "p", "div", "table", "ul", "ol", *_HEADINGS))
_TO_THE_TOP = re.compile(
    r"\W*(?:(?:back|return|go|jump) (?:up )?to (?:the )?)?(?:top|(?:table of )?contents|index)(?: of (?:the )?page)?\W*"
    r"|\W*(?:zurück )?(?:nach oben|zum seitenanfang|zum anfang)\W*|\W*(?:haut(?: de page)?|retour en haut)\W*"
    r"|\W*(?:volver )?arriba\W*|[\s↑⬆▲^]+",
    re.IGNORECASE,
)
_QUESTION_NAMES = re.compile(
    r"(?:^|[\s_-])(?:question(?:[-_]?(?:title|text|heading|name))?|faq[-_]*(?:q|question|title|header|head|heading)|q"
    r"|accordion[-_]*(?:title|header|heading|button|toggle|trigger|head|summary)|toggle[-_]?title|elementor-tab-title"
    r"|panel-title|collapsible|schema-faq-question)(?:$|[\s_])",
    re.IGNORECASE,
)
_NO_QUESTIONS = re.compile(
    r"(?:table of )?contents?|introduction|overview|about|see also|references?|links?|licen[cs]e|credits?"
    r"|contact(?: us)?"
    r"|further reading|acknowledge?ments?|changelog|index|inhalt(?:sverzeichnis)?|einleitung|sommaire|índice"
    r"|(?:do you )?(?:still )?(?:have|got) (?:(?:a|any|some|more|another|other|further|additional) ){0,2}questions?\??"
    r"|(?:any|more) (?:(?:other|more|further) )?questions\?|noch fragen\?|haben sie (?:noch|weitere) fragen\?"
    r"|prerequisites|attachments|page tree|child pages"
    r"|installation|usage|navigation|menu|comments?|related .*|share .*|disclaimer|copyright|support|feedback",
    re.IGNORECASE,
)
# The mark of the list item that the next title stands in.
_MARKER_LEFT = re.compile(r"(?:^|\n)[ \t]*(?:-|\d{1,4}\.)[ \t]*\Z")
_TOGGLES = (
    ".//*[self::button or self::a or self::div or self::h2 or self::h3 or self::h4 or self::h5 or self::h6]"
    "[@data-toggle='collapse' or @data-bs-toggle='collapse' or (@aria-controls and @aria-expanded)]"
)
_BYLINE_NAMES = re.compile(r"(?:^|[\s_-])(?:author|byline|date|name|time|user(?:name)?)(?:$|[\s_])", re.IGNORECASE)
_DATE_NOTED = "data-date-of-question"
MOST_TITLE = 500
_CATEGORY_LEVEL = 6
_LONGEST_ANCHOR = 200
_LEAST_TOPICS = 3
_LEAST_ALTERNATING = 6
_LEAST_WORDS = 4
_BELOW_TITLE = frozenset("br ul ol p div dl table blockquote".split())


@dataclass(frozen=True, slots=True)
class Section:
    """A title and the text up to the next one. ``level`` is 1 to 6 for headings, 7 for what lies below all of them."""

    level: int
    title: str
    text: str
    anchor: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question found in an outline, the headings above it, and the place on its page."""

    question: str
    answer: str
    category: str = ""
    anchor: str = ""
    date: str = ""
    title: str = ""
    author: str | None = None
    url: str | None = None
    tags: tuple[str, ...] = ()
    guessed: bool = False  # it does not ask, but stands beside others that do


def drop_furniture(tree: Any) -> None:
    """Remove navigation, footers and the like from a page's tree. Buttons that are titles of sections stay."""
    for element in list(tree.iter(etree.Element)):
        if element.getparent() is not None and _is_furniture(element):
            drop(element)


def outline_questions(tree: Any, named_faq: bool) -> list[Asked]:
    """Find the questions in a page's tree by the kind of titles that asks most often, the first of those that tie.

    ``named_faq`` says that the page's name or its title announces questions and answers.
    """
    candidates: list[list[Asked]] = []
    for find in (_folded, _defined, _classed, _toggles):
        titles = find(tree)
        if len(titles) > 1 or (titles and named_faq):
            found = _asked_below(_sections(tree, titles))
            if found and _share(found) >= 0.5:
                candidates.append(found)
    headings = tree.xpath("|".join(f".//{tag}" for tag in _HEADINGS))
    candidates.append(
        questions_in(_sections(tree, [(element, int(element.tag[1])) for element in headings]), named_faq)
    )
    best = without_footer(max(candidates, key=lambda found: sum(seems_to_ask(asked.question) for asked in found)))
    return best or without_footer(
        _bold_questions(tree, named_faq)
        or (_asking_paragraphs(tree) if named_faq or _alternates(tree) else [])
        or _lone_items(tree)
    )


def topic_sections(tree: Any) -> list[Asked]:
    """Take the headings of a document as what is asked about, where none of them asks and no line below one does.

    They are those of the level that most of them have. What is named so may still be a list of links: ask a person.
    """
    headings = tree.xpath("|".join(f".//{tag}" for tag in _HEADINGS))
    sections = _sections(tree, [(element, int(element.tag[1])) for element in headings])
    leaves = [section for section in sections if section.text and not is_no_question(section.title)]
    levels = Counter(section.level for section in leaves)
    level = max(levels, key=lambda level: levels[level], default=0)
    texts = [section.text.split("\n") for section in leaves]
    titles = {section.title for section in leaves if section.level == level}
    if 2 * len(titles) < levels[level]:
        return []  # the same few below each of the others
    if levels[level] < _LEAST_TOPICS or any(asks(line) for lines in texts for line in lines):
        return []
    if any(all(line.lstrip().startswith("- ") for line in lines) for lines in texts):
        return []  # an overview
    return without_footer([Asked(s.title, s.text, "", s.anchor) for s in leaves if s.level == level])


def unused_sections(tree: Any, found: Sequence[Asked]) -> list[str]:
    """Return the titles of the sections of a page's tree that are no part of these questions.

    What stands below the title of the whole page, and below that of a category, introduces it: it is no section.
    """
    headings = tree.xpath("|".join(f".//{tag}" for tag in _HEADINGS))
    sections = _sections(tree, [(element, int(element.tag[1])) for element in headings])
    texts = (text for asked in found for text in (asked.question, asked.answer, asked.category, asked.title))
    used = {line.strip() for text in texts for line in text.split("\n")}
    titled = sections[1:] if sections and sections[0].level == 1 else sections
    return [
        section.title
        for section in titled
        if section.text
        and not used.intersection((section.title, bare_question(section.title)))
        and not any(line.strip() in used for line in section.text.split("\n") if line.strip())
    ]


def without_footer(found: list[Asked]) -> list[Asked]:
    """Cut what stands below the last answer: whose page this is, and when it was changed."""
    if not found:
        return found
    last = found[-1]
    return [*found[:-1], replace(last, answer=above_footer(last.answer))]


def questions_in(sections: Sequence[Section], named_faq: bool) -> list[Asked]:
    """Choose the questions among a document's headings.

    Below a heading that announces questions and answers (or in a document named so), all headings of the level that
    asks most are questions; elsewhere most of the headings must ask. Headings above that level are categories.
    """
    scopes = [(start, _end_of(sections, start)) for start, s in enumerate(sections) if names_faq(s.title)]
    scopes = [(start, end) for start, end in scopes if end - start > 1]
    whole = (-1, len(sections))
    if named_faq or not scopes or any(start == 0 and end == len(sections) for start, end in scopes):
        return _questions_of(sections, whole, named_faq or bool(scopes))
    found: list[Asked] = []
    done = -1
    for start, end in scopes:
        if start >= done:
            found += _questions_of(sections, (start, end), named=True)
            done = end
    return found


def _end_of(sections: Sequence[Section], start: int) -> int:
    """Find the end of a section. A heading alone before others of its level is a title for all of them."""
    level = sections[start].level
    end = next((n for n in range(start + 1, len(sections)) if sections[n].level <= level), len(sections))
    return len(sections) if start == 0 and end == 1 else end


def _questions_of(sections: Sequence[Section], scope: tuple[int, int], named: bool) -> list[Asked]:
    start, end = scope
    inside = range(start + 1, end)
    below, within = _answered_below(sections, inside)
    texts = [n for n in inside if n in below or (sections[n].text and n not in within)]
    leaves = [n for n in texts if not is_no_question(sections[n].title)]
    asking = [n for n in leaves if seems_to_ask(sections[n].title)]
    if not asking or (not named and (len(asking) < 2 or 2 * len(asking) < len(leaves))):
        return []
    levels = Counter(sections[n].level for n in asking)
    level = max(levels, key=lambda level: (levels[level], level))
    # Elsewhere than in an FAQ, what stands before the first and behind the last question is something else.
    first, last = (start, end) if named else _with_siblings(sections, leaves, asking, level)
    chosen = {n for n in leaves if asks(sections[n].title) or (sections[n].level == level and first <= n <= last)}
    found: list[Asked] = []
    categories: dict[int, str] = {}
    inside_answer = 0  # the level of the question whose answer we are in, 0 outside
    for n in inside:
        section = sections[n]
        if inside_answer and section.level > inside_answer and not (n in chosen and asks(section.title)):
            latest = found[-1]
            found[-1] = Asked(latest.question, f"{latest.answer}\n\n{section.title}\n\n{section.text}".strip(),
                              latest.category, latest.anchor, guessed=latest.guessed)  # fmt: skip
            continue
        inside_answer = 0
        categories = {above: title for above, title in categories.items() if above < section.level}
        asking_too = section.level == level and asks(section.title) and not is_no_question(section.title)
        if n in chosen or asking_too:
            inside_answer = section.level
            category = next(reversed(categories.values()), "")
            guessed = not named and not asking[0] <= n <= asking[-1]
            question, answer = bare_question(section.title), bare_answer(section.text)
            found.append(Asked(question, answer, category, section.anchor, guessed=guessed))
        elif not names_faq(section.title) and n > start and section.level > 1:
            categories[section.level] = section.title
    return found


def _answered_below(sections: Sequence[Section], inside: range) -> tuple[set[int], set[int]]:
    """Find titles whose only text is in sections below them, of which none asks: (the titles, those sections).

    A level counts only if such a title of it asks; the titles of other levels are categories.
    """
    found: dict[int, range] = {}
    for n in inside:
        section = sections[n]
        if section.text or section.level >= len(_HEADINGS):
            continue
        end = next((m for m in range(n + 1, inside.stop) if sections[m].level <= section.level), inside.stop)
        inner = range(n + 1, end)
        if any(sections[m].text for m in inner) and not any(seems_to_ask(sections[m].title) for m in inner):
            found[n] = inner
    levels = {sections[n].level for n in found if asks(sections[n].title)}
    chosen = {n: inner for n, inner in found.items() if sections[n].level in levels}
    return set(chosen), {m for inner in chosen.values() for m in inner}


def _with_siblings(
    sections: Sequence[Section], leaves: Sequence[int], asking: Sequence[int], level: int
) -> tuple[int, int]:
    """Return the first and last of the headings that ask, with the sentences of their level right around them.

    A complaint ("My cat drinks a lot") is a question among others, but only below a title of its own for the page.
    Behind the last that asks, it is one only where such ones stand between those that ask.
    """
    first, last = asking[0], asking[-1]
    known, known_asking = set(leaves), set(asking)

    def around(numbers: Iterable[int], edge: int) -> int:
        for n in numbers:
            if sections[n].level == level and n in known and _is_sentence(sections[n].title):
                edge = n
            elif sections[n].level <= level:
                break
        return edge

    if any(section.level < level for section in sections[:first]) and sections[first].level == level:
        first = around(range(first - 1, -1, -1), first)
    if any(n not in known_asking and sections[n].level == level for n in leaves if asking[0] < n < asking[-1]):
        last = around(range(last + 1, len(sections)), last)
    return first, last


def _is_sentence(title: str) -> bool:
    return len(title.split()) >= _LEAST_WORDS and not title.rstrip().endswith((":", "!"))


def is_no_question(title: str) -> bool:
    """Return whether a title is one of those that documents have beside their questions, such as Contents."""
    return names_faq(title) or _NO_QUESTIONS.fullmatch(bare_question(title).rstrip(" :")) is not None


def _asked_below(sections: Iterable[Section]) -> list[Asked]:
    """Take every title of the lowest level as a question, those above as categories."""
    found: list[Asked] = []
    category = ""
    for section in sections:
        if section.level < len(_HEADINGS) + 1:
            category = "" if names_faq(section.title) or section.level == 1 else section.title
        elif section.title:
            question, answer = bare_question(section.title), bare_answer(section.text)
            asked = Asked(question, answer, category, section.anchor, section.date)
            found.append(asked)
    return found if any(asked.answer for asked in found) else []


def _share(found: Sequence[Asked]) -> float:
    return sum(seems_to_ask(asked.question) for asked in found) / len(found)


def _folded(tree: Any) -> list[tuple[Any, int]]:
    """Find folded sections; one that has others in it and does not ask is their category."""
    found = []
    for element in tree.xpath(".//details/summary"):
        holds = element.getparent().find(".//details/summary") is not None
        found.append((element, _CATEGORY_LEVEL if holds and not asks(words(element)) else 7))
    return found


def _defined(tree: Any) -> list[tuple[Any, int]]:
    return [(element, 7) for element in tree.xpath(".//dl//dt[following-sibling::dd]")]


def _classed(tree: Any) -> list[tuple[Any, int]]:
    """Find titles by the names that accordions and FAQ plugins give them, the innermost of those within one another."""
    found = []
    for element in tree.xpath(".//*[@class]"):
        if _QUESTION_NAMES.search(element.get("class")[:MOST_TITLE]):
            title = words(element)
            if 3 < len(title) <= MOST_TITLE:
                found.append(element)
    inner = {ancestor for element in found for ancestor in element.iterancestors()}
    titles = [(element, 7) for element in found if element not in inner]
    for element, _ in titles:
        _drop_byline(element)
    return titles if sum(seems_to_ask(words(element)) for element, _ in titles) * 2 >= len(titles) else []


def _drop_byline(title: Any) -> None:
    """Remove who asked and when from a title that asks, and note the date at it."""
    for element in title.xpath(".//*[@class]"):
        byline = words(element)
        named = _BYLINE_NAMES.search(element.get("class")[:MOST_TITLE]) is not None
        if named and 0 < len(byline) < len(words(title)) and not seems_to_ask(byline) and asks(words(title)):
            if date := date_in(byline):
                title.set(_DATE_NOTED, date)
            drop(element)


def _toggles(tree: Any) -> list[tuple[Any, int]]:
    """Find what opens a section of an accordion, by how Bootstrap and what reads pages aloud know it."""
    return [(element, 7) for element in tree.xpath(_TOGGLES) if 3 < len(words(element)) <= MOST_TITLE]


def _join_bold(tree: Any) -> None:
    """Join bold texts that nothing parts, as word processors write a number and its question."""
    for element in list(tree.iter("b", "strong")):
        following = element.getnext() if element.tag != "span" else None  # one that was joined stays where it is
        while following is not None and following.tag == element.tag and not element.tail:
            element.tail, following.tail = following.tail, None
            following.tag = "span"
            element.append(following)
            following = element.getnext()


def _bold_questions(tree: Any, named_faq: bool) -> list[Asked]:
    """Take paragraphs that are nothing but a bold question, or begin with one.

    Where at least half of the paragraphs that are nothing but bold ask, the others are questions as well.
    """
    _join_bold(tree)
    titles = []
    others = []
    for element in tree.xpath(".//*[self::p or self::div or self::li][b or strong or a]"):
        first = _opening_bold(element)
        if first is None:
            continue
        title = words(first)
        if len(title) <= MOST_TITLE and (asks(title) or asks(words(element))):
            titles.append((first, 7))
        elif len(title) <= MOST_TITLE and _stands_alone(first, element) and not title.endswith(":"):
            others.append((first, 7))
    if len(others) <= len(titles):
        titles += others
    if not titles:
        titles = [(element, 7) for element in tree.xpath(".//b | .//strong | .//font") if _is_line_that_asks(element)]
    if len(titles) < 1 + (not named_faq):
        return []
    found = [asked for asked in _asked_below(_sections(tree, titles)) if asked.answer]
    return found if len(found) > (not named_faq) else []


def _is_line_that_asks(element: Any) -> bool:
    """Return whether an element is a whole line, between line breaks or blocks, that asks."""
    title = words(element)
    if len(title) > MOST_TITLE or not asks(title):
        return False
    while (around := element.getparent()) is not None and around.tag == "a" and _is_all_of(element, around):
        element = around  # what links lead to
    before, after = element.getprevious(), element.getnext()
    text_before = (element.getparent().text if before is None else before.tail) or ""
    begins = not text_before.strip() and (before is None or before.tag in _LINE_ENDS)
    ends = not (element.tail or "").strip() and after is not None and after.tag in _LINE_ENDS
    return begins and ends


def _is_all_of(element: Any, around: Any) -> bool:
    return len(around) == 1 and not (around.text or "").strip() and not (element.tail or "").strip()


def _asking_paragraphs(tree: Any) -> list[Asked]:
    """Take short paragraphs that ask as questions, however they are set apart: in italics, in colour, in a class."""
    titles = [
        (element, 7)
        for element in tree.xpath(".//p | .//td | .//div[not(*[self::p or self::div or self::table or self::ul])]")
        if len(title := words(element)) <= _LONGEST_ANCHOR and asks(title)
    ]
    found = _asked_below(_sections(tree, titles)) if len(titles) > 1 else []
    return found if all(asked.answer for asked in found) else []


def _alternates(tree: Any) -> bool:
    """Return whether every other paragraph asks."""
    paragraphs = [words(element) for element in tree.xpath(".//p")]
    texts = [text for text in paragraphs if text]
    return len(texts) >= _LEAST_ALTERNATING and 2 * sum(map(asks, texts)) == len(texts) and all(map(asks, texts[::2]))


def _lone_items(tree: Any) -> list[Asked]:
    """Take lists of one item that asks, each with its answer below, as word processors number paragraphs."""
    lone = [
        element
        for element in tree.xpath(".//li")
        if element.getprevious() is None
        and element.getnext() is None
        and (below := element.getparent().getnext()) is not None
        and below.tag == "p"
        and len(words(element)) <= MOST_TITLE
    ]
    asking = [element for element in lone if asks(words(element))]
    if len(asking) < 2:
        return []
    numbered = [element for element in lone if element.getparent().tag == "ol"]
    # Where most of the numbered ones ask, the others are questions as well.
    if 2 * len(asking) >= len(numbered) and all(element.getparent().tag == "ol" for element in asking):
        asking = [element for element in numbered if asks(words(element)) or _is_sentence(words(element))]
    found = _asked_below(_sections(tree, [(element, 7) for element in asking]))
    found = [asked if asks(asked.question) else replace(asked, guessed=True) for asked in found]
    return found if all(asked.answer for asked in found) else []


def _stands_alone(bold: Any, element: Any) -> bool:
    """Return whether bold text is all that an element holds, or all of its first line."""
    following = bold.getnext()
    broken = following is not None and following.tag in _BELOW_TITLE and not (bold.tail or "").strip()
    return broken or words(bold) == words(element)


def _opening_bold(element: Any) -> Any | None:
    """Return the bold text that an element opens with; what links lead to may be around it, or stand before it."""
    if (element.text or "").strip():
        return None
    for child in element:
        if child.tag in ("b", "strong"):
            return child
        if child.tag != "a" or child.get("href"):
            return None
        inner = _opening_bold(child)
        if inner is not None:
            return inner
        if words(child) or (child.tail or "").strip():
            return None
    return None


def _sections(tree: Any, titles: Sequence[tuple[Any, int]]) -> list[Section]:
    """Split a page at the titles (and at the headings above them)."""
    known = {element for element, _ in titles}
    within = {inner for element in known for inner in element.iterdescendants()}
    others = [] if any(element.tag in _HEADINGS and level < 7 for element, level in titles) else [
        (element, int(element.tag[1]))
        for element in tree.xpath("|".join(f".//{tag}" for tag in _HEADINGS))
        if element not in within and element not in known and not _lies_in(element, known)
    ]  # fmt: skip
    order = {element: number for number, element in enumerate(tree.iter(etree.Element))}
    marked = sorted([*titles, *others], key=lambda item: order[item[0]])
    anchors = [_anchor(element) for element, _ in marked]
    undo = [_mark(element, number) for number, (element, _) in enumerate(marked)]
    text = html_to_text(etree.tostring(tree, encoding="unicode", method="html"))
    for element, (before, tail) in zip([element for element, _ in marked], undo, strict=True):
        _unmark(element, before, tail)
    found = []
    matches = list(_TITLE.finditer(text))
    for match, end in zip(matches, [*(following.start() for following in matches[1:]), len(text)], strict=False):
        number = int(match[1])
        element, level = marked[number]
        date = element.get(_DATE_NOTED, "")
        body = text[match.end() : end].partition(_END)[0]
        body = _MARKER_LEFT.sub("", _MARKS.sub("", body).strip(" \n|")).strip()
        found.append(Section(level, _one_line(match[2]).strip(" |"), body, anchors[number], date))
    return found


def _lies_in(element: Any, known: set[Any]) -> bool:
    """Return whether a heading is inside a folded section or definition and so part of its answer."""
    for ancestor in element.iterancestors("details", "dd"):
        title = ancestor[0] if ancestor.tag == "details" and len(ancestor) else ancestor.getprevious()
        if title is not None and title in known:
            return True
    return False


def _mark(element: Any, number: int) -> tuple[str | None, list[Any]]:
    before = element.text
    element.text = f"{_OPEN}{number}{_NUMBERED}{before or ''}"
    for link in element.iter("a"):
        link.attrib.pop("href", None)
    close = etree.SubElement(element, "span")
    close.text = _CLOSE
    ends = [close]
    parent = element.getparent()
    if parent is not None and parent.tag in ("details", "dl") and element.tag in ("summary", "dt"):
        if parent.tag == "details":
            end = etree.SubElement(parent, "div")
        else:  # what follows a list is no definition
            end = etree.Element("div")
            parent.addnext(end)
        end.text = _END
        ends.append(end)
    return before, ends


def _unmark(element: Any, before: str | None, ends: list[Any]) -> None:
    element.text = before
    for end in ends:
        drop(end)


def _is_furniture(element: Any) -> bool:
    if element.tag in ("html", "body", "main", "article", *_HEADINGS, "dt", "dd", "summary", "details"):
        return False
    if element.tag == "header":
        return element.getparent().tag == "body" and not element.xpath(".//h1")
    if element.tag == "button":
        if element.get("data-toggle") == "collapse" or element.get("data-bs-toggle") == "collapse":
            return False
        return not asks(words(element)) and not _QUESTION_NAMES.search(element.get("class", "")[:MOST_TITLE])
    if element.tag == "form":
        return not element.xpath(".//h1|.//h2|.//h3|.//p")
    if element.tag == "a" and element.get("href", "")[:1] == "#" and _TO_THE_TOP.fullmatch(words(element)[:MOST_TITLE]):
        return True
    if element.tag == "address" or _is_comment(element):
        return True
    names = f"{element.get('class', '')} {element.get('id', '')}"[:MOST_TITLE]
    layout = _FURNITURE_NAMES.search(names) is not None and element.find(".//h1") is not None  # such as "has-sidebar"
    return (
        element.tag in _FURNITURE
        or (element.tag == "sup" and "reference" in names.split())
        or element.get("role", "").lower() in _FURNITURE_ROLES
        or (_FURNITURE_NAMES.search(names) is not None and not layout)
    )


def _is_comment(element: Any) -> bool:
    """Return whether an element is a comment of Google Docs, or the mark that leads to it."""
    if element.tag == "a":
        return bool(element.get("href", "").startswith("#cmnt"))
    return element.tag == "p" and len(element) > 0 and re.match(r"cmnt\d", element[0].get("id", "")) is not None


def _anchor(element: Any) -> str:
    """Find the place on its page that a title can be linked to."""
    named = (element, element.getparent(), *element.iterdescendants("a"))
    found = next((a for e in named if e is not None and (a := e.get("id") or (e.tag == "a" and e.get("name")))), "")
    return str(found) if found and len(found) <= _LONGEST_ANCHOR and not re.search(r"\s", found) else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
