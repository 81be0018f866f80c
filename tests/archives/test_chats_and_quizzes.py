"""Chats of KakaoTalk and IRC, question banks, outlines: lines of text that programs write -> posts."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import FileReport, Post

_ASKED, _ANSWERED = "환불 되나요?", "네, 14일 이내에요."
_KAKAO_HEAD = "홍길동 님과 카카오톡 대화\n저장한 날짜 : 2024-12-09 14:40:00\n\n"
# The file's name, its text, who answers; the question, the answer and the date of its first post.
CHATS: dict[str, tuple[str, str, str, tuple[str, str, str]]] = {
    "KakaoTalk for computers": (
        "KakaoTalk.txt",
        f"{_KAKAO_HEAD}--------------- 2024년 12월 9일 월요일 ---------------\n[홍길동] [오후 2:30] {_ASKED}\n"
        f"[상담원] [오후 2:31] {_ANSWERED}\n둘째 줄\n[홍길동] [오후 2:32] 감사합니다\n",
        "상담원",
        (_ASKED, f"{_ANSWERED}\n둘째 줄", "2024-12-09T14:30:00"),
    ),
    "KakaoTalk in English": (
        "KakaoTalk.txt",
        "John's KakaoTalk Chats\n\n--------------- Monday, December 9, 2024 ---------------\n"
        "[John] [2:30 PM] Refunds?\n"
        "[Amy] [2:31 PM] Within 14 days.\n[John] [2:32 PM] Thanks\n",
        "Amy",
        ("Refunds?", "Within 14 days.", "2024-12-09T14:30:00"),
    ),
    "KakaoTalk of Android": (
        "KakaoTalk.txt",
        f"{_KAKAO_HEAD}2024년 1월 10일 오후 2:30\n2024년 1월 10일 오후 2:30, 홍길동 : {_ASKED}\n"
        f"2024년 1월 10일 오후 2:31, 상담원 : {_ANSWERED}\n2024년 1월 10일 오후 2:31, 김철수님이 들어왔습니다.\n"
        "2024년 1월 10일 오후 2:32, 홍길동 : 감사합니다\n",
        "상담원",
        (_ASKED, _ANSWERED, "2024-01-10T14:30:00"),
    ),
    "KakaoTalk of Apple": (
        "Talk.txt",
        f"{_KAKAO_HEAD}2023년 5월 10일 수요일\n2023. 5. 10. 오후 2:30, 홍길동 : {_ASKED}\n"
        f"2023. 5. 10. 오후 2:31, 상담원 : {_ANSWERED}\n2023. 5. 10. 오후 2:32, 홍길동 : 감사합니다\n",
        "상담원",
        (_ASKED, _ANSWERED, "2023-05-10T14:30:00"),
    ),
    "KakaoTalk, times below days": (
        "Talk.txt",
        f"2023년 5월 10일 수요일\n오후 2:30, 홍길동 : {_ASKED}\n오후 2:31, 상담원 : {_ANSWERED}\n"
        "오후 2:32, 홍길동 : 네\n",
        "상담원",
        (_ASKED, _ANSWERED, "2023-05-10T14:30:00"),
    ),
    "WhatsApp of Android, people come and go": (
        "WhatsApp Chat mit Kochen.txt",
        "12.03.21, 18:02 - Petra: Refunds?\n12.03.21, 18:05 - Luigi: Within 14 days.\nWith the bill.\n"
        "12.03.21, 18:06 - Petra hat Jürgen hinzugefügt.\n12.03.21, 18:07 - +49 171 5551234 hat die Gruppe verlassen\n"
        "12.03.21, 18:08 - Petra: Danke\n",
        "Luigi",
        ("Refunds?", "Within 14 days.\nWith the bill.", "2021-03-12T18:02:00"),
    ),
    "WhatsApp of Apple, people come and go": (
        "_chat.txt",
        "[12/03/21, 18:02:10] Petra: Refunds?\n[12/03/21, 18:05:11] Luigi: Within 14 days.\n"
        "[12/03/21, 18:06:12] Petra added Jürgen\n[12/03/21, 18:08:00] Petra: Thanks\n"
        "[13/03/21, 18:08:00] Petra: And the 13th?\n",
        "Luigi",
        ("Refunds?", "Within 14 days.", "2021-03-12T18:02:10"),
    ),
    "WhatsApp of Apple in German, with what it says itself": (
        "_chat.txt",
        "[12.03.21, 18:01:00] Luigi: \u200eDu hast diese Nachricht gelöscht.\r\n"
        "[12.03.21, 18:02:11] Petra: Refunds?\r\n[12.03.21, 18:05:00] Luigi: Within 14 days. "
        "\u200e<Diese Nachricht wurde bearbeitet.>\r\n\u200e[12.03.21, 18:07:00] Luigi: \u200eBild weggelassen\r\n"
        "[13.03.21, 18:07:00] Petra: \u200eDu hast diese Nachricht gelöscht.\r\n",
        "Luigi",
        ("Refunds?", "Within 14 days.", "2021-03-12T18:02:11"),
    ),
    "WhatsApp of Android in German, edited": (
        "chat.txt",
        "12.03.21, 18:02 - Petra: Refunds?\n12.03.21, 18:05 - Luigi: Within 14 days. "
        "<Diese Nachricht wurde bearbeitet.>\n"
        "12.03.21, 18:08 - Petra: Du hast diese Nachricht gelöscht.\n12.03.21, 18:09 - Petra: Danke\n",
        "Luigi",
        ("Refunds?", "Within 14 days.", "2021-03-12T18:02:00"),
    ),
    "irssi": (
        "help.log",
        "--- Log opened Wed Mar 04 10:00:00 2015\n10:00 -!- ann [~a@x] has joined #help\n10:05 < ann> Refunds?\n"
        "10:05 -!- joe has quit [Quit]\n10:06 <@bob> Within 14 days.\n10:06  * bob waves\n10:07 < ann> thanks\n"
        "--- Day changed Thu Mar 05 2015\n09:00 < ann> And then?\n",
        "bob",
        ("Refunds?", "Within 14 days.", "2015-03-04T10:05:00"),
    ),
    "ZNC, the day in the file's name": (
        "#help_20150304.log",
        "[10:00:00] *** Joins: ann (a@x)\n[10:05:11] <ann> Refunds?\n[10:06:00] <bob> Within 14 days.\n"
        "[10:07:00] <ann> thanks\n",
        "bob",
        ("Refunds?", "Within 14 days.", "2015-03-04T10:05:11"),
    ),
    "mIRC": (
        "help.txt",
        "Session Start: Wed Mar 04 10:00:00 2015\n[10:05] <ann> Refunds?\n[10:06] <@bob> Within 14 days.\n"
        "[10:06] *** joe has quit\n[10:07] <ann> thanks\n",
        "bob",
        ("Refunds?", "Within 14 days.", "2015-03-04T10:05:00"),
    ),
    "HexChat": (
        "help.txt",
        "**** BEGIN LOGGING AT Wed Mar  4 10:00:00 2015\n\nMar 04 10:05:11 *\tNow talking on #help\n"
        "Mar 04 10:05:11 <ann>\tRefunds?\nMar 04 10:06:11 <bob>\tWithin 14 days.\nMar 04 10:07:11 <ann>\tthanks\n",
        "bob",
        ("Refunds?", "Within 14 days.", "2015-03-04T10:05:11"),
    ),
    "WeeChat": (
        "irc.help.weechatlog",
        "2015-03-04 10:05:00\t-->\tann (a@x) has joined\n2015-03-04 10:05:11\tann\tRefunds?\n"
        "2015-03-04 10:06:11\t@bob\tWithin 14 days.\n2015-03-04 10:06:12\t--\tmode +o\n"
        "2015-03-04 10:07:11\tann\tthanks\n",
        "bob",
        ("Refunds?", "Within 14 days.", "2015-03-04T10:05:11"),
    ),
    "IRC with dates": (
        "help.log",
        "[2015-03-04 10:05:11] <ann> Refunds?\n[2015-03-04 10:06:00] <bob> Within 14 days.\n"
        "[2015-03-04 10:07:00] <ann> thanks\n",
        "bob",
        ("Refunds?", "Within 14 days.", "2015-03-04T10:05:11"),
    ),
    "IRC without times": (
        "help.txt",
        "<ann> Refunds?\n<bob> Within 14 days.\n<ann> thanks\n",
        "bob",
        ("Refunds?", "Within 14 days.", ""),
    ),
}


def _read(path: Path, text: str, **options: object) -> tuple[list[Post], tuple[FileReport, ...]]:
    path.write_text(text, encoding="utf-8")
    reading = Reading()
    items = list(read_archives([path], ReadOptions(**options), reading=reading))  # type: ignore[arg-type]
    posts = [item for item in items if isinstance(item, Post)]
    assert len(posts) == len(items), items
    return posts, reading.reports


@pytest.mark.parametrize("program", CHATS)
def test_a_chat_is_read_as_its_program_writes_it(program: str, tmp_path: Path) -> None:
    """With the times of its messages, and without what the program says."""
    name, text, answering, (question, answer, date) = CHATS[program]
    posts, _ = _read(tmp_path / name, text, field_map={"answer": answering})
    assert (posts[0].question, posts[0].answer, posts[0].date or "") == (question, answer, date)


def test_a_later_day_of_a_log_is_that_of_its_messages(tmp_path: Path) -> None:
    """As the line between them says."""
    name, text, answering, _ = CHATS["irssi"]
    posts, _ = _read(tmp_path / name, f"{text}09:01 <@bob> Then so.\n", field_map={"answer": answering})
    assert [(post.question, post.answer, post.date) for post in posts][1:] == [
        ("And then?", "Then so.", "2015-03-05T09:00:00")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "id: ticket/42\nQueue: General\nOwner: bob\nSubject: Refunds?\nCreated: Wed Mar 04 10:00:00 2015\n\n--\n\n"
        "id: 11\nType: Create\nCreator: ann\nCreated: 2015-03-04\nContent: Can I?\n         Please.\n\n--\n\n"
        "id: 12\nType: Correspond\nCreator: bob\nCreated: 2015-03-04\nContent: Within 14 days.\n",
        "Title: a\nDate: 2015-03-04\nText: c d e\n\nTitle: x\nDate: 2015-03-05\nText: f g\n\n"
        "Title: y\nDate: z\nText: d\n",
    ],
)
def test_fields_of_records_are_not_who_speaks_in_a_chat(text: str, tmp_path: Path) -> None:
    """The refusal names them, and what to export."""
    (tmp_path / "rt.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UnknownFormatError, match=r"lines of fields \(\w+, \w+.*Export them as CSV or JSON"):
        list(read_archives([tmp_path / "rt.txt"]))


GIFT = r"""// question: 0  name: Switch category
$CATEGORY: $course$/top/Default for x/Care

::Grant's tomb::[html]<p>Who's <b>buried</b> in Grant's tomb?</p>{
	~Grant#No.
	~%50%Julia
	=no one#That's right\: nobody.
	####In general.
}

Grant is {~buried =entombed ~living} in Grant's tomb.

Grant is buried in Grant's tomb.{FALSE#No.#Right.}

Two plus two equals {=four =4}

When was he born?{#1822:5}

What is pi?{#3.14..3.15}

Match the capitals. {
 =Canada -> Ottawa
 =Italy  -> Rome
}

This asks nothing.

Write an essay. {}

3. What is a set\: \{1,2\}?
It has a {=finite
 ~infinite} size.
"""


def test_what_is_right_answers_a_question_of_gift(tmp_path: Path) -> None:
    """And what is said of it; the rest is left out and said."""
    posts, reports = _read(tmp_path / "bank.txt", GIFT)
    assert [(post.question, post.answer) for post in posts] == [
        ("Who's buried in Grant's tomb?", "Julia\nno one\n\nThat's right: nobody.\n\nIn general."),
        ("Grant is _____ in Grant's tomb.", "entombed"),
        ("Grant is buried in Grant's tomb.", "False\n\nRight."),
        ("Two plus two equals", "four\n4"),
        ("When was he born?", "1822 ± 5"),
        ("What is pi?", "3.14 – 3.15"),
        ("Match the capitals.", "Canada → Ottawa\nItaly → Rome"),
        ("Write an essay.", ""),
        ("What is a set: {1,2}?\nIt has a _____ size.", "finite"),
    ]
    assert posts[0].title == "Grant's tomb"
    assert {post.tags for post in posts} == {("Care",)}
    assert "answers of a quiz that earn nothing are left out" in reports[0].remarks
    assert "left out: descriptions, which ask nothing (1)" in reports[0].remarks


def test_braces_in_prose_are_no_question_bank(tmp_path: Path) -> None:
    """Nor are those of style sheets and programs."""
    posts, reports = _read(tmp_path / "a.txt", "The set {=1,2} is small.\n\nQ: Refunds?\nA: Within 14 days.\n")
    assert [(post.question, post.answer) for post in posts] == [("Refunds?", "Within 14 days.")]
    assert reports[0].format == "text with questions and answers"


AIKEN = """1. Which is one?
A. Is it this one?
B. Must be this one!
ANSWER: B

Which is
on two lines?
A) Moodle
B) ATutor
ANSWER: A
Which are both?
A) One
B) Two
ANSWER: A, B
FEEDBACK: Because.
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_option_of_the_letter_answers_a_question_of_aiken(end: str, tmp_path: Path) -> None:
    """Also of several letters, and without a blank line before the next question."""
    posts, _ = _read(tmp_path / "bank.txt", AIKEN.replace("\n", end))
    assert [(post.question, post.answer) for post in posts] == [
        ("Which is one?", "Must be this one!"),
        ("Which is\non two lines?", "Moodle"),
        ("Which are both?", "One\nTwo\n\nBecause."),
    ]


OUTLINE = (
    '<?xml version="1.0"?><opml version="2.0"><head><title>{}</title></head><body><outline text="Care">'
    '<outline text="How do I descale it{}" _note="With vinegar.&#10;Twice."/>'
    '<outline text="Can I &lt;b&gt;wash&lt;/b&gt; it{}"><outline text="A: Yes."><outline text="by hand"/>'
    '<outline text="by machine" _note="at 30"/></outline><outline text="Or not."/></outline></outline>'
    '<outline text="Refunds{}" created="Wed, 04 Mar 2015 10:00:00 GMT"><outline text="Within 14 days."/>'
    '<outline text="Never!" isComment="true"/></outline><outline text="About us"/></body></opml>'
)
_OUTLINED = [
    ("How do I descale it", "With vinegar.\nTwice.", ("Care",)),
    ("Can I wash it", "Yes.\n- by hand\n- by machine: at 30\n\nOr not.", ("Care",)),
    ("Refunds", "Within 14 days.", ()),
]


def test_lines_of_an_outline_that_ask_are_questions(tmp_path: Path) -> None:
    """Notes and the lines below them answer; comments are left out."""
    posts, _ = _read(tmp_path / "help.opml", OUTLINE.format("Help", *"???"))
    assert [(post.question, post.answer, post.tags) for post in posts] == [(f"{q}?", a, t) for q, a, t in _OUTLINED]
    assert posts[2].date == "2015-03-04T10:00:00+00:00"


def test_an_outline_named_faq_need_not_ask(tmp_path: Path) -> None:
    """What was taken is said; any other outline is refused with the way out."""
    text = OUTLINE.replace("How do I descale", "Descaling").replace("Can I &lt;b&gt;wash&lt;/b&gt; it", "Washing")
    posts, reports = _read(tmp_path / "help.opml", text.format("FAQ", "", "", ""))
    assert [post.question for post in posts] == ["Descaling it", "A: Yes.", "Refunds"]
    assert "no line asks" in " ".join(reports[0].remarks)
    (tmp_path / "help.opml").write_text(text.format("Help", "", "", ""), encoding="utf-8")
    with pytest.raises(UnknownFormatError, match=r"no line asks.*its answer as a note"):
        list(read_archives([tmp_path / "help.opml"]))


def test_lines_of_an_outline_without_a_question_are_counted(tmp_path: Path) -> None:
    """They are in no answer."""
    _, reports = _read(tmp_path / "help.opml", OUTLINE.format("Help", "?", "?", "").replace("Can I", "Shall we"))
    assert "lines of the outline that no question is above (3)" in " ".join(reports[0].remarks)
