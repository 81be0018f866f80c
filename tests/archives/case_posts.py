"""The posts that the archives in `cases` hold, written out by hand and compared with what is read."""

from __future__ import annotations

from typing import Any

# Fields that are left out are empty; `answers` are (id, score, accepted, author, date). Posts without an id of
# their own have no `source_id` here.
EXPECTED: dict[str, list[dict[str, Any]]] = {
    "code-eaten-by-one-tag": [
        {
            "question": "Loop runs one time too often",
            "answer": "You wrote `for (i=0; i<n; i++)` and compare `if (x<y && y>z)`; use <= there.<br>That is all.",
            "source_id": "a",
        },
        {
            "question": "Is f convex?",
            "answer": "Since $x<y$ and $f(x)<f(y)$, **yes**. See <sup>1</sup>.",
            "source_id": "b",
        },
        {
            "question": "What is the difference between <em> and <i>?",
            "answer": "<em> carries stress, <i> only looks slanted.\nBoth are inline.\nUse <em> first.",
            "source_id": "c",
        },
    ],
    "code-tags-in-plain-text": [
        {
            "title": "How do I centre a <div> inside a <table>?",
            "question": 'My page has\n\n    <div class="a">\n      <b>hello</b>\n    </div>\n\nand it stays left.\nI tried <center> too.',
            "answer": 'Use flex:\n\n```html\n<div style="display:flex">\n  <span>hello</span>\n</div>\n```\n\nThen it works.',
        },
    ],
    "control-characters": [
        {
            "question": "When is lunch?",
            "answer": "A lunch-break of half-anhour, at \nnoon. Padding so that the file counts as text, with a good many plain letters in it, and some more of them to be on the safe side of one per cent. And again: plain letters, plain letters, plain letters, plain letters.",
        },
    ],
    "csv-chinese-gb18030": [
        {"question": "锅炉早上为什么有敲击声？", "answer": "换热器里有水垢，需要清洗。"},
        {"question": "暖气片上面凉下面热怎么办？", "answer": "里面有空气，用钥匙放气。"},
    ],
    "csv-cr-line-ends": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-date-forms": [
        {"question": "Why 0?", "answer": "Because.", "date": "2012-01-05T14:33:00"},
        {"question": "Why 1?", "answer": "Because.", "date": "2012-01-05"},
        {"question": "Why 2?", "answer": "Because.", "date": "2012-01-05T14:33:02Z"},
        {"question": "Why 3?", "answer": "Because.", "date": "2012-01-05"},
        {"question": "Why 4?", "answer": "Because.", "date": "2012-01-05T14:33:02+00:00"},
        {"question": "Why 5?", "answer": "Because.", "date": "2012-01-05"},
        {"question": "Why 6?", "answer": "Because.", "date": "2012-01-05"},
        {"question": "Why 7?", "answer": "Because.", "date": "2014-03-03T10:11:00"},
        {"question": "Why 8?", "answer": "Because.", "date": "2012-01-05"},
        {"question": "Why 9?", "answer": "Because.", "date": "2012-01-13T14:33:00"},
        {"question": "Why 10?", "answer": "Because.", "date": "2019-02-03"},
    ],
    "csv-dates": [
        {"question": "Why?", "answer": "Because.", "date": "2019-03-04"},
    ],
    "csv-duplicate-headers": [
        {
            "title": "Boiler knocks",
            "question": "It knocks every morning",
            "answer": "First check the pump\n\nIt was limescale, descale it",
            "answers": [(None, None, False, None, None), (None, None, False, None, None)],
        },
    ],
    "csv-entities-without-tags": [
        {
            "question": "Can't bleed it & it's cold",
            "answer": "Don't force it: use a key <5 mm> – it’s soft brass",
            "url": "https://example.org/a?x=1&y=2",
        },
    ],
    "csv-french-reponse": [
        {
            "question": "Pourquoi ma chaudière fait-elle du bruit ?",
            "answer": "Le tartre dans l’échangeur ; il faut la faire détartrer.",
            "tags": ("chauffage",),
        },
        {"question": "À quelle pression la régler ?", "answer": "Entre 1 et 1,5 bar à froid.", "tags": ("chauffage",)},
    ],
    "csv-literal-backslash-n": [
        {"question": "Why does it knock?", "answer": "Most likely limescale.\n\n- flush it\n- turn it down"},
    ],
    "csv-no-header": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-null-words": [
        {"question": "Why does it knock?"},
        {"question": "How often top up?"},
        {"question": "Cold radiator"},
        {"question": "Smell of gas"},
        {"question": "Leaking valve"},
        {"question": "Noisy pump"},
        {"question": "Real one", "answer": "Bleed it with a key"},
    ],
    "csv-prompt-response": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-python-lists": [
        {
            "question": "Why does it knock?",
            "answer": "Limescale in the exchanger.\n\nIt's the pump.",
            "tags": ("boiler", "noise"),
            "answers": [(None, None, False, None, None), (None, None, False, None, None)],
        },
    ],
    "csv-questions-answers-plural": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-repeated-header": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-row-per-answer": [
        {
            "title": "Knocking boiler",
            "question": "My boiler knocks every morning. Is it dangerous?",
            "answer": "No, but have the heat exchanger descaled soon.\n\nTurn the flow temperature down to 60 first and see.\n\nCould be the pump; listen where it comes from.",
            "source_id": "7",
            "url": "https://example.org/q/7",
            "tags": ("boilers",),
            "answers": [
                (None, 12, False, "Ann Example", None),
                (None, 3, False, "Bob Example", None),
                (None, 0, False, "Cy Example", None),
            ],
        },
        {
            "title": "Cold radiator",
            "question": "The top of one radiator stays cold.",
            "answer": "Bleed it with a key.",
            "source_id": "8",
            "url": "https://example.org/q/8",
            "tags": ("radiators",),
            "answers": [(None, 5, False, "Ann Example", None)],
        },
    ],
    "csv-russian-windows-1251": [
        {"question": "Почему котёл стучит по утрам?", "answer": "Накипь в теплообменнике, нужна промывка."},
        {"question": "Как часто подкачивать давление?", "answer": "Не чаще двух раз в год."},
    ],
    "csv-sep-line": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-stray-inner-quotes": [
        {"question": 'What does "F28" mean?', "answer": "Ignition failed."},
        {"question": 'Pipe is 1/2" wide', "answer": 'Yes, 1/2" is common'},
        {"question": "Plain one", "answer": "Plain answer"},
    ],
    "csv-title-ask-answer": [
        {
            "title": "My boiler makes a kn",
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
            "tags": ("heating",),
        },
        {
            "title": "How often should the",
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
            "tags": ("heating",),
        },
        {
            "title": "Radiator is cold at",
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
            "tags": ("heating",),
        },
    ],
    "csv-title-line-above-header": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "csv-two-tables": [
        {
            "title": "Why does it knock?",
            "question": "My boiler knocks every morning.",
            "answer": "Limescale in the heat exchanger.\n\nTurn it down.",
            "source_id": "1",
            "date": "2017-04-28T08:29:14Z",
            "score": 7,
            "answers": [("1", 4, False, None, "2017-04-28T16:49:14Z"), ("2", 1, False, None, "2017-04-28T19:35:54Z")],
        },
        {
            "title": "Cold radiator",
            "question": "Top stays cold.",
            "answer": "Bleed it.",
            "source_id": "2",
            "date": "2017-04-28T14:02:34Z",
            "score": 1,
            "answers": [("3", 9, False, None, "2017-04-28T22:22:34Z")],
        },
    ],
    "date-phpbb-pm": [
        {"question": "Why?", "answer": "Because", "date": "2014-03-03T22:11:00"},
        {"question": "How?", "answer": "So", "date": "2014-03-04T13:05:00"},
    ],
    "html-entities-mojibake": [
        {"question": "I’m cold, what’s wrong?", "answer": "Don’t panic – bleed it. It’s 5°C too low."},
    ],
    "json-alpaca": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "json-categories-beside-faqs": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
            "source_id": "1",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
            "source_id": "1",
        },
    ],
    "json-description-and-content": [
        {
            "title": "Knocking",
            "question": "The whole question: it knocks at six in the morning when the timer starts.",
            "answer": "Limescale.",
            "source_id": "1",
        },
    ],
    "json-dict-of-records": [
        {
            "question": "Does limescale make boilers knock?",
            "answer": "Yes, in two thirds of the boilers.",
            "source_id": "21645374",
        },
        {"question": "Does bleeding help?", "answer": "In most cases.", "source_id": "16418930"},
    ],
    "json-discourse-topic": [
        {
            "title": "Knocking boiler",
            "question": "My boiler knocks every morning. Is it dangerous?",
            "answer": "It is limescale. Have the exchanger flushed.\n\nSame here, thanks.",
            "source_id": "240",
            "date": "2016-11-13T05:22:31.000Z",
            "tags": ("boiler",),
            "author": "ann",
            "answers": [
                ("12", 3, True, "bob", "2016-11-14T18:45:08.000Z"),
                ("13", None, False, "cy", "2016-11-15T18:45:08.000Z"),
            ],
        },
    ],
    "json-faqpage-ld": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "json-intents": [
        {
            "question": "Why does my boiler knock?\n\nBoiler makes noise",
            "answer": "Mostly limescale; have it flushed.",
            "tags": ("knock",),
            "answers": [(None, None, False, None, None)],
        },
        {
            "question": "How do I bleed a radiator?",
            "answer": "With a key, pump off.",
            "tags": ("bleed",),
            "answers": [(None, None, False, None, None)],
        },
    ],
    "json-phpbb-posts": [
        {
            "title": "Knocking boiler",
            "question": "It knocks every morning.",
            "answer": "Limescale. Flush it (https://example.org/flush).",
            "source_id": "7",
            "date": "2014-03-03T10:11:00Z",
            "author": "ann",
            "answers": [("71", None, False, "bob", "2014-03-03T11:17:40Z")],
        },
    ],
    "json-question-answer-pairs-object": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "json-squad": [
        {
            "question": "Why does a boiler knock?",
            "answer": "limescale has built up",
            "source_id": "a1",
            "tags": ("Boilers",),
        },
        {"question": "What should be done?", "answer": "flushed", "source_id": "a2", "tags": ("Boilers",)},
    ],
    "json-thread-posts": [
        {
            "title": "Knocking boiler",
            "question": "It knocks every morning.",
            "answer": "Limescale. Have it flushed.\n\nOr turn it down.",
            "date": "2001-01-20T01:30:00.000Z",
            "url": "/forum/boilers/1-knocking",
            "author": "ann",
            "answers": [
                ("1001", None, False, "bob", "2001-01-20T02:30:00.000Z"),
                ("1002", None, False, "cy", "2001-01-21T02:30:00.000Z"),
            ],
        },
    ],
    "json-title-entities": [
        {
            "title": 'What\'s the "F28" code & is it bad?',
            "question": "It shows F28 & stops.",
            "answer": "Ignition failed.",
            "source_id": "1",
            "date": "2014-03-01T10:10:10Z",
            "url": "https://example.org/q/1",
            "tags": ("boiler",),
            "author": "Bob",
            "answers": [("9", 4, True, "Ann", "2014-03-01T11:10:10Z")],
        },
    ],
    "json-two-lists": [
        {
            "question": "Why does it knock?",
            "answer": "Limescale",
            "source_id": "1",
            "answers": [("7", None, False, None, None)],
        },
        {
            "question": "How often top up?",
            "answer": "Twice a year",
            "source_id": "2",
            "answers": [("8", None, False, None, None)],
        },
    ],
    "json-zendesk-articles": [
        {
            "question": "Why does my boiler knock?",
            "answer": "Mostly limescale.\n\n- Flush it\n- Turn it down",
            "source_id": "10001",
            "date": "2019-02-15T16:00:00Z",
            "url": "https://example.zendesk.com/hc/en-us/articles/10001-knocking",
            "tags": ("boiler",),
        },
        {
            "question": "How do I bleed a radiator?",
            "answer": "With a key, pump off.",
            "source_id": "10002",
            "date": "2019-02-16T16:00:00Z",
            "url": "https://example.zendesk.com/hc/en-us/articles/10002-bleed",
        },
    ],
    "jsonl-chat-messages": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        },
    ],
    "jsonl-mongo": [
        {
            "question": "My boiler makes a knocking noise every morning, is it dangerous?",
            "answer": "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until then.",
            "source_id": "5f10",
            "date": "2020-07-01T10:00:00Z",
            "tags": ("heating",),
            "author": "Ann",
        },
        {
            "question": "How often should the pressure be topped up?",
            "answer": "Not more than once or twice a year; more often means there is a leak somewhere.",
            "source_id": "5f11",
            "date": "2020-07-01T10:00:00Z",
            "tags": ("heating",),
            "author": "Ann",
        },
        {
            "question": "Radiator is cold at the top but hot below",
            "answer": "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
            "source_id": "5f12",
            "date": "2020-07-01T10:00:00Z",
            "tags": ("heating",),
            "author": "Ann",
        },
    ],
    "jsonl-reddit": [
        {
            "title": "Boiler knocks every morning",
            "question": "Is it dangerous?",
            "answer": "Limescale, flush it.",
            "source_id": "abc1",
            "date": "2014-03-01T10:10:10Z",
            "url": "/r/heat/comments/abc1/",
            "author": "ann",
            "score": 7,
            "answers": [("c1", 9, False, "bob", "2014-03-01T10:11:50Z")],
        },
    ],
    "map-over-two-files": [
        {"question": "Why does it knock?", "answer": "Limescale"},
        {"question": "How often top up?", "answer": "Twice a year"},
    ],
    "stackexchange-doctype": [
        {
            "title": "Knocking boiler",
            "question": "It knocks every morning.",
            "answer": "Limescale: flush it.",
            "source_id": "1",
            "date": "2011-10-11T19:42:20.713",
            "tags": ("boiler",),
            "author": "12",
            "score": 18,
            "answers": [("2", 26, True, "13", "2011-10-11T19:44:27.657")],
        },
    ],
    "stackexchange-user-names": [
        {
            "title": "Knocking boiler",
            "question": "It knocks.",
            "answer": "Limescale.",
            "source_id": "1",
            "date": "2011-10-11T19:42:20.713",
            "tags": ("boiler", "noise"),
            "author": "Ann",
            "score": 18,
            "answers": [("2", 26, True, "Bob", "2011-10-11T19:44:27.657")],
        },
    ],
    "tsv-literal-quotes": [
        {"question": "Why does it knock?", "answer": '"Limescale, mostly.'},
        {"question": "How often top up?", "answer": "Twice a year"},
        {"question": 'Is it "loud"?', "answer": 'The "big" ones are'},
        {"question": "Cold radiator", "answer": '"Bleed" it'},
        {"question": "Leak", "answer": "Tighten it"},
    ],
}
