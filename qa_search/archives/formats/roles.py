"""Names of fields -> their roles, in many spellings and languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

# Names are compared as `normal_name` folds them. Earlier names win.
ROLES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "postid", "questionid", "qid", "uid", "guid", "docid", "messageid", "tweetid", "key", "slug", "pid",
           "nr"),
    "title": (
        "title", "subject", "headline", "hstitle", "questiontitle", "heading", "topictitle", "threadtitle", "posttitle",
        "articletitle", "tickettitle", "threadsubject", "postsubject", "titel", "título", "titre", "titolo",
        "tytuł", "заголовок", "тема", "标题", "標題", "タイトル", "件名", "제목", "betreff", "asunto", "assunto",
        "oggetto", "onderwerp", "overskrift", "otsikko", "başlık", "název", "cím",
    ),
    "question": (
        "question", "complaint", "query", "problem", "questions", "faqquestion", "ask", "prompt", "instruction",
        "patterns", "pattern", "utterance", "utterances", "q", "inquiry", "enquiry", "complaints", "queries",
        "frage", "fragen", "fragestellung", "anliegen", "pregunta", "preguntas", "consulta", "demande", "domanda",
        "domande",
        "quesito", "pergunta", "perguntas", "pytanie", "pytania", "вопрос", "вопросы", "питання", "запитання", "въпрос",
        "问题", "問題", "提问", "提問", "问", "質問", "問い", "질문", "문의", "vraag", "vragen", "fråga", "frågor",
        "spørgsmål", "spørsmål", "kysymys", "kysymykset", "otázka", "otázky", "dotaz", "soru", "sorular", "kérdés",
        "întrebare", "ερώτηση", "سؤال", "السؤال", "سوال", "שאלה", "प्रश्न", "सवाल", "คำถาม", "câu hỏi", "pertanyaan",
        "soalan",
    ),
    "body": (
        "questiontext", "questionbody", "questiondetails", "body", "text", "description", "details", "content",
        "message", "post", "questiondescription", "questioncontent", "desc", "posttext", "postbody", "postcontent",
        "selftext", "bodytext", "pagetext", "corps", "cuerpo", "corpo", "originaltext", "rawtext", "messagetext",
        "messagebody", "articlebody", "texto",
        "beschreibung", "nachricht", "descripción",
        "mensaje", "contenido", "descrição", "mensagem", "conteúdo", "descrizione", "messaggio", "contenuto", "opis",
        "treść", "описание", "сообщение", "текст", "描述", "内容", "正文", "本文", "내용", "본문", "omschrijving",
        "beskrivning", "beskrivelse", "kuvaus", "popis", "açıklama", "leírás",
    ),
    "answer": (
        "answer", "answers", "reply", "replies", "response", "responses", "acceptedanswer", "bestanswer",
        "answertext", "answerbody", "expertanswer", "solution", "answerhtml", "faqanswer", "suggestedanswer",
        "answercontent", "replytext", "replybody", "responsetext", "responsebody", "solutions", "resolution",
        "resolutionnote", "resolutionnotes", "completion", "chosen", "chosenresponse",
        "a", "antwort", "antworten", "lösung", "respuesta", "respuestas", "solución", "réponse",
        "réponses", "risposta", "risposte", "soluzione", "resposta", "respostas", "solução", "odpowiedź", "odpowiedzi",
        "ответ", "ответы", "решение", "відповідь", "відповіді", "отговор", "答案", "回答", "答复", "回复", "解答", "答",
        "答え", "답변", "답", "응답", "antwoord", "antwoorden", "svar", "svaret", "vastaus", "vastaukset", "odpověď",
        "odpovědi", "odpoveď", "cevap", "cevaplar", "yanıt", "válasz", "răspuns", "απάντηση", "جواب", "الجواب",
        "إجابة", "الإجابة", "پاسخ", "תשובה", "उत्तर", "जवाब", "คำตอบ", "câu trả lời", "trả lời", "jawaban", "jawapan",
    ),
    "date": (
        "date", "created", "createdat", "createdate", "creationdate", "creationtime", "posted", "postedat",
        "dateposted", "published", "publishedat", "pubdate", "datetime", "timestamp", "time", "updated",
        "updatedat", "timestampms", "lastupdate", "lastupdated", "createdutc", "createddate", "createdon",
        "createddatetime", "datecreated",
        "datepublished", "publisheddate", "publicationdate", "postdate", "posttime", "submissiontime", "submitted",
        "submittedat", "submissiondate", "asked", "askedat", "askedon", "questiondate", "postedon", "posteddate",
        "modified", "modifiedat", "lastmodified", "modifieddate", "datemodified", "lastmodifieddate", "lastupdatedat",
        "updateddate", "modifiedon", "createdtime", "createtime", "ctime", "dateadded", "dateasked",
        "datereceived", "datesubmitted", "submittedon", "dateopened", "openedat", "entrydate", "crdate", "tstamp",
        "postertime", "dateline", "addedat", "messagedate", "messagetime", "dt", "dateinserted", "received", "opened",
        "added", "sent", "ts", "datum", "erstelltam", "erstellt",
        "erstelldatum", "erstellungsdatum", "eingangsdatum", "eingangam", "gefragtam",
        "angelegtam", "veröffentlichtam", "anfragedatum", "zeitstempel", "geändertam", "stand", "eingang",
        "date de création",
        "date de la demande", "créé le", "publié le", "fecha de creación", "creado", "data di creazione",
        "data utworzenia",
        "дата вопроса", "作成日", "创建时间", "등록일", "fecha", "дата", "дата создания",
        "日期", "时间", "時間", "日時", "日付", "날짜", "작성일", "dato", "tarih", "päivämäärä", "dátum", "data",
    ),
    "url": ("url", "link", "permalink", "uri", "href", "htmlurl", "questionurl", "questionlink", "weburl"),
    "tags": ("tags", "tag", "keywords", "labels", "labelnames", "tagnames", "stichwörter", "stichworte", "schlagworte",
        "schlagwörter", "mots-clés", "关键词", "标签"),
    "category": (
        "category", "categories", "forum", "section", "topic", "topics", "subforum", "subcategory", "subjectarea",
        "categoryname", "forumname", "kategorie", "rubrik", "bereich", "thema", "themengebiet", "themenbereich",
        "fachgebiet",
        "rubrique", "thème", "tema", "área", "sección", "argomento", "раздел", "рубрика", "カテゴリー", "分類", "科室",
        "categoría", "catégorie", "categoria", "kategoria", "категория", "分类", "类别", "カテゴリ", "카테고리",
    ),
    "author": (
        "author", "user", "username", "askedby", "postedby", "asker", "authorname", "owner", "displayname",
        "postername", "poster", "createdby", "submittedby", "requester", "userfullname", "sender", "sendername", "nick",
        "nickname", "verfasser", "absender", "fragesteller", "erstelltvon", "投稿者", "autor", "auteur", "autore",
        "автор", "作者",
    ),
    "score": ("score", "votes", "upvotes", "votecount", "votenumber", "votescount", "upvotecount", "ups", "points",
        "likes", "netvotes", "likecount", "reactionscore"),
    "parent": ("parentid", "parent", "parentpostid", "inreplyto", "replyto", "replytoid", "replytomessageid",
               "parentcommentid", "inresponsetotweetid", "inreplytostatusid"),
    "thread": ("topicid", "threadid", "conversationid", "discussionid", "threadts", "thread", "ticketid", "caseid"),
    "accepted": ("accepted", "isaccepted", "isacceptedanswer", "isbestanswer", "isbest", "issolution", "isanswer"),
}  # fmt: skip
# Names that play a role only where no other field of the file does.
WEAK: Mapping[str, tuple[str, ...]] = {
    "title": ("summary", "name", "shortdescription"),
    "question": (
        "input",
        "context",
        "human",
        "user message",
        "patient",
        "issue",
        "problème",
        "front",
        "term",
        "concept",
    ),
    "body": (
        "raw",
        "cooked",
        "comment",
        "commentbody",
        "commenttext",
        "plainbody",
        "htmlbody",
        "bodyplain",
        "messagecontent",
    ),
    "category": ("theme", "department", "area", "group", "product", "abteilung", "gruppe", "service"),
    "author": ("from", "sendertype", "speaker", "customer", "reporter", "member", "kunde", "benutzer", "utente", "имя"),
    "answer": (
        "output",
        "outputs",
        "completions",
        "assistant",
        "bot",
        "target",
        "gpt",
        "doctor",
        "contestación",
        "parere",
        "back",
        "definition",
    ),
}
# How a name ends when the head of it is one of these: "original question", "faqAnswer", "Long_Answer".
_HEADS = {
    "question": "question", "questions": "question", "complaint": "question", "query": "question",
    "answer": "answer", "answers": "answer", "reply": "answer", "replies": "answer", "response": "answer",
    "consulta": "question", "contestacion": "answer", "duvida": "question",
    "responses": "answer", "solution": "answer",
    "frage": "question", "pregunta": "question", "domanda": "question", "pergunta": "question", "вопрос": "question",
    "antwort": "answer", "respuesta": "answer", "risposta": "answer", "resposta": "answer", "ответ": "answer",
    "reponse": "answer",
}  # fmt: skip
_HEADS_WITHOUT_BLANKS = {
    "frage": "question", "antwort": "answer", "问题": "question", "問題": "question", "质问": "question",
    "質問": "question", "答案": "answer", "回答": "answer", "答复": "answer", "질문": "question", "답변": "answer",
}  # fmt: skip
_QUALIFIERS = frozenset(
    "paragraph text body content details detail long rich html raw plain string full cleaned clean markdown english "
    "value c en de es fr it "
    "pt nl sv pl cs ru uk tr ar he hi vi zh ja ko posée apportée posee apportee donnée donnee".split()
)
_OTHER_MEANINGS = frozenset(
    "is has have no not num number n nb count total wrong incorrect false bad rejected negative distractor other "
    "related similar next previous prev follow duplicate linked per by with without of".split()
)
# What stands between an answer and the one who gave it.
_OF = frozenset("des der vom von de del della dell do da du di dei d van av fra af od".split())
# How names of dates begin or end; and words beside them that say another day than that of a post.
_DATE_WORDS = frozenset(
    "date dates datum data fecha dato datetime timestamp time дата tarih tarihi dátum päivämäärä pvm".split()
)
_DATE_ENDS = frozenset("at on am le el il".split())
_DATES_WITHOUT_BLANKS = (
    "datum",
    "日",
    "日期",
    "时间",
    "時間",
    "日時",
    "日付",
    "날짜",
    "일자",
    "일시",
    "등록일",
    "작성일",
    "답변일",
)
_OTHER_DAYS = frozenset(
    "birth birthday dob due expiry expires expire expiration valid until deadline target reminder scheduled event "
    "travel order delivery naissance nacimiento nascita geburts geburtsdatum narození urodzenia рождения 生日 生年月日 "
    "誕生日 生年 曜日".split()
)
_FOLDED = re.compile(r"[\s_\-:?!*#.()\[\]\"'/]")
_WORDS = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+")
# Longer ones are not looked at: no known name is anywhere near as long.
MOST_NAME = 100
_PARTIAL_RANK = 1000
_WEAK_RANK = 2000


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """Return a field's name without differences in case, blanks, dashes, marks and accents."""
    name = _FOLDED.sub("", name).lower()
    if name.isascii():
        return name
    return "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))


def _all_names() -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for names_by_role, first in ((ROLES, 0), (WEAK, _WEAK_RANK)):
        for role, names in names_by_role.items():
            for rank, name in enumerate(names, start=first):
                found.setdefault(normal_name(name), (role, rank))
    return found


_ROLE_OF = _all_names()


@lru_cache(maxsize=4096)
def role_of(name: str) -> tuple[str, int] | None:
    """Return the role that a field plays by its name, and its rank: the lowest wins. None for no role."""
    if len(name) > MOST_NAME:
        return None
    name = name.removesuffix("__c")  # how Salesforce ends the names of people's own fields
    return _ROLE_OF.get(normal_name(name)) or _partial_role(name)


def names_date(name: str) -> bool:
    """Return whether a name begins or ends with a word for a date, such as "review_date"; many hold other things."""
    words, folded = [word.lower() for word in _WORDS.findall(name)], normal_name(name)
    if not words or _OTHER_DAYS.intersection((*words, name.strip())) or "birth" in folded:
        return False
    if len(words) > 1 and (words[-1] in _DATE_ENDS or _DATE_WORDS.intersection((words[0], words[-1]))):
        return True
    return words[-1] in _DATE_WORDS or folded.endswith(tuple(map(normal_name, _DATES_WITHOUT_BLANKS)))


def is_weak(rank: int) -> bool:
    """Return whether a name of this rank counts only if the role has no other field."""
    return rank >= _WEAK_RANK


def _partial_role(name: str) -> tuple[str, int] | None:
    words = [normal_name(word) for word in _WORDS.findall(name)]
    if words[:2] == ["what", "is"]:  # as forms ask: "What is your question?"
        words = words[2:]
    if len(words) > 2 and words[1] in _OF and words[0] in _HEADS:  # "Antwort des Experten", "Réponse de l'expert"
        words = words[:1]
    qualifiers = 0
    while len(words) > 1 and words[-1] in _QUALIFIERS:
        words.pop()
        qualifiers += 1
    if not words or _OTHER_MEANINGS.intersection(words):
        return None
    role = _HEADS.get(words[-1])
    if role is None:
        folded = normal_name(name)
        role = next((role for head, role in _HEADS_WITHOUT_BLANKS.items() if folded.endswith(normal_name(head))), None)
        if role is None and not folded.isascii():
            starts = (role for head, role in _HEADS_WITHOUT_BLANKS.items() if folded.startswith(normal_name(head)))
            role = next(starts, None)
    return None if role is None else (role, _PARTIAL_RANK + len(words) + qualifiers)
