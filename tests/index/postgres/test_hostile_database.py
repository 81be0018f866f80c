"""A database that others use, too: no code of theirs runs as whoever builds or searches, and nobody is kept waiting."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from devtools.postgres_servers import Server, running
from qa_search import SearchIndex
from qa_search.errors import IndexDamagedError, IndexLockedError, StoreError
from qa_search.index.postgres.schema import HOME, LOCK_CLASS, lock_number
from qa_search.index.postgres.statements import qualified
from tests.index.postgres.test_postgres import build, generations, open_index, schemas

NewDatabase = Callable[[Server], str]
MALLORY = "mallory"


@pytest.fixture(scope="module")
def watched(programs: Path) -> Iterator[Server]:
    """A server that writes down each statement and who sent it, with a role that nobody trusts."""
    with running(programs) as started:
        started.execute(f"CREATE ROLE {MALLORY} LOGIN")
        watch(started)
        yield started


@pytest.fixture
def url(watched: Server, new_database: NewDatabase) -> str:
    return new_database(watched)


def watch(server: Server) -> None:
    """Let a server write down each statement and who sent it."""
    for name, value in (("log_statement", "'all'"), ("log_line_prefix", "'<<%a>> '")):
        server.execute(f"ALTER SYSTEM SET {name} = {value}")
    server.execute("SELECT pg_reload_conf()")


def as_mallory(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Connect as the role that nobody trusts."""
    return psycopg.connect(url.replace("postgres@", f"{MALLORY}@"), autocommit=True)


def use_all(opened: SearchIndex) -> None:
    """Ask for everything that a database is asked for."""
    hits = opened.search("knee", 10, since="2000", until="2030", source="*", explain=True).hits
    assert hits
    opened.search_many(["knee", "sore heel"], 5, tags=["none"])
    for hit in hits[:2]:
        assert opened.post(hit.post_id) is not None
        opened.neighbours(hit.post_id)
        opened.similar(hit.post_id)
        opened.post_ids(hit.post_id)
    opened.info()
    opened.run(["knee"], 10, rankings=("default", "lexical"))
    posts = opened.retriever.posts
    posts.counts(), posts.missing_posts(), posts.set_aside(), posts.source_counts()
    posts.source_ids_of(hits[0].post_id)
    list(posts.passage_blocks(50))
    posts.numbers_of_keys([b"none", b"other"])


def build_and_use(folder: Path, url: str) -> None:
    """Build until old generations go, and use each way to ask."""
    for pages in (2, 3, 4, 4):
        build(folder, url, pages)
    with open_index(url) as opened:
        use_all(opened)


def statements(server: Server) -> list[str]:
    """Return every statement that the program sent, as the server wrote it down."""
    log = (server.folder / "log").read_text(encoding="utf-8", errors="replace")
    lines = re.findall(r"<<qa-search[^>]*>> LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", log)
    return sorted(set(lines))


# Keywords that a parenthesis may follow, and those that a name and a parenthesis may follow.
_KEYWORDS = (
    "USING BY AS INTO INCLUDE KEY CHECK CONFLICT ARRAY VALUES ANY ALL EXISTS COALESCE OPTIONS WITH ON AND OR NOT WHERE "
    "INDEX LATERAL FROM THEN SELECT OP STDIN"
).split()
_NAMES_NOT_CALLED = r"\b(?:USING|AS|INTO) \w+ ?\(|\bBY HASH \("
_NOT_TABLES = r"IF\b|STDIN\b|LATERAL\b|SELECT\b|home\b|ours\b"
_UNQUALIFIED = (
    r"[-+*/<>=~!@#|^&]+",  # an operator
    rf"(?<![\w.])(?!(?:{'|'.join(_KEYWORDS)})\b)[A-Za-z_]\w*\s*\(",  # a function
    r"::\s*(?!pg_catalog\.|public\.)\w+",  # a type
    rf"\b(?:FROM|JOIN|INTO|UPDATE|ANALYZE|COPY|TABLE(?: IF NOT EXISTS)?)\s+(?!{_NOT_TABLES})[a-z_]\w*(?![\w.])",
    r"\bIN\s*\(|\bI?LIKE\b|\bBETWEEN\b|\bSIMILAR\b|\bNATURAL\b|\bIS DISTINCT\b|\bCASE (?!WHEN)",
)


def unqualified(statement: str) -> list[str]:
    """Return the functions, operators, types and tables that a statement names without their schema.

    Written anew, and not with what the program qualifies by.
    """
    text = re.sub(r"'(?:[^']|'')*'", "''", statement)
    text = re.sub(r'"[^"]*"', "quoted", text)
    text = re.sub(r"\bSET (LOCAL )?[a-z_.]+ (TO|=) ", "", text)
    text = re.sub(r"OPERATOR\([a-z_]+\.[^a-z)(\s]+\)", " OP ", text)
    text = re.sub(_NAMES_NOT_CALLED, "(", text.replace("count(*)", "count()"))
    return [found for pattern in _UNQUALIFIED for found in re.findall(pattern, text)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT a.b FROM pg_catalog.pg_class a WHERE a.b = 1", "SELECT max(b) FROM qa_search.x", "SELECT 1::int4",
        "SELECT b FROM post", "SELECT b FROM qa_search.x WHERE b IN (1, 2)", "SELECT qa.b - 1 FROM qa_search.x",
        "SELECT CASE b WHEN 1 THEN 2 END FROM qa_search.x", "SELECT b FROM qa_search.x WHERE b LIKE 'c'",
        "SELECT b FROM qa_search.x ORDER BY b <#> c", "SELECT b FROM qa_search.x ORDER BY min(b)",
    ],
)  # fmt: skip
def test_the_check_of_statements_finds_what_has_no_schema(statement: str) -> None:
    """Each of the ways to name something without its schema; and nothing once all is qualified, where that can be."""
    assert unqualified(statement)
    if not any(word in statement for word in ("CASE", "LIKE")):
        assert not unqualified(qualified(statement, "qa_search_g1"))


def test_every_statement_names_everything_with_its_schema(watched: Server, url: str, tmp_path: Path) -> None:
    """As the server has received them: functions, operators, types, tables. Nothing else is looked for, by anybody."""
    build_and_use(tmp_path, url)
    sent = statements(watched)
    assert len(sent) > 40  # by this test alone: the server may have seen others
    assert any("halfvec_send" in statement for statement in sent)
    assert any("<#>" in statement for statement in sent)
    wrong = {statement: found for statement in sent if (found := unqualified(statement))}
    assert not wrong, "\n".join(f"{found}: {statement}" for statement, found in wrong.items())


def test_nothing_that_others_made_is_called(watched: Server, url: str, tmp_path: Path) -> None:
    """Functions and operators of PostgreSQL's own names, in a schema that comes before PostgreSQL's own."""
    database = url.rpartition("/")[2]
    watched.execute("GRANT CREATE ON SCHEMA public TO PUBLIC", database)
    calls = ("int4", "int8", "text", "float8", "bool", "oid", "name")
    with as_mallory(url) as mallory:
        mallory.execute("SET search_path = pg_catalog")
        mallory.execute(
            "CREATE FUNCTION public.array_position(int4[], int4) RETURNS int4 LANGUAGE plpgsql "
            "AS $$BEGIN RAISE EXCEPTION 'caught'; END$$"
        )
        for kind in calls:
            mallory.execute(
                f"CREATE FUNCTION public.trap({kind}, {kind}) RETURNS bool LANGUAGE plpgsql "
                "AS $$BEGIN RAISE EXCEPTION 'caught'; END$$"
            )
            for operator in ("=", "<>", "<", ">", ">=", "~", "||", "+", "-", "*", "/"):
                mallory.execute(
                    f"CREATE OPERATOR public.{operator} (LEFTARG = {kind}, RIGHTARG = {kind}, FUNCTION = public.trap)"
                )
            for name in (
                "min",
                "max",
                "count",
                "sum",
                "json_agg",
                "set_config",
                "cardinality",
                "unnest",
                "quote_ident",
            ):
                mallory.execute(
                    f"CREATE FUNCTION public.{name}({kind}) RETURNS text LANGUAGE plpgsql "
                    "AS $$BEGIN RAISE EXCEPTION 'caught'; END$$"
                )
        with pytest.raises(psycopg.Error, match="caught"):
            mallory.execute("SET search_path = public, pg_catalog; SELECT 1 = 1")
    watched.execute(f"ALTER ROLE postgres IN DATABASE {database} SET search_path = public, pg_catalog")
    build_and_use(tmp_path, url)


def test_pgvector_may_be_in_a_schema_of_its_own(watched: Server, url: str, tmp_path: Path) -> None:
    """One that no search path names, with a name that has to be quoted."""
    database = url.rpartition("/")[2]
    watched.execute('CREATE SCHEMA "My extensions"', database)
    watched.execute('CREATE EXTENSION vector SCHEMA "My extensions"', database)
    build_and_use(tmp_path, url)


_FOR_ALL = {
    "a trigger": (
        f"CREATE FUNCTION {HOME}.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",
        f"CREATE TRIGGER t BEFORE INSERT ON {HOME}.store FOR EACH ROW EXECUTE FUNCTION {HOME}.f()",
    ),
    "a function": (f"CREATE FUNCTION {HOME}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",),
    "a rule": (f"CREATE RULE r AS ON INSERT TO {HOME}.store DO ALSO SELECT 1",),
    "row security": (
        f"ALTER TABLE {HOME}.store ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY p ON {HOME}.store USING (true)",
    ),
    "a default": (f"ALTER TABLE {HOME}.store ALTER id SET DEFAULT upper('x')",),
    "a constraint": (f"ALTER TABLE {HOME}.store ADD CHECK (upper(id) <> 'X')",),
    "a generated column": (f"ALTER TABLE {HOME}.store ADD g text GENERATED ALWAYS AS (upper(id)) STORED",),
    "an index of an expression": (f"CREATE INDEX i ON {HOME}.store (upper(id))",),
    "statistics of an expression": (f"CREATE STATISTICS {HOME}.s ON (upper(id)) FROM {HOME}.store",),
    "a view": (f"CREATE VIEW {HOME}.v AS SELECT 1",),
    "a view in the place of a table": (
        f"ALTER TABLE {HOME}.current RENAME TO other",
        f"CREATE VIEW {HOME}.current AS TABLE {HOME}.other",
    ),
    "a type": (
        f"CREATE DOMAIN {HOME}.d AS text CHECK (upper(VALUE) <> 'X')",
        f"ALTER TABLE {HOME}.store ADD d {HOME}.d",
    ),
    "a table that inherits": (f"CREATE TABLE public.child () INHERITS ({HOME}.store)",),
    "another's table": (f"ALTER TABLE {HOME}.writer OWNER TO {MALLORY}",),
}
_FOR_WRITERS = {
    "another's schema": (f"ALTER SCHEMA {HOME} OWNER TO {MALLORY}",),
    "a table that others may write to": (f"GRANT INSERT ON {HOME}.store TO {MALLORY}",),
    "a table that others may hang triggers on": (f"GRANT TRIGGER ON {HOME}.current TO PUBLIC",),
    "a schema that others may create in": (f"GRANT CREATE ON SCHEMA {HOME} TO {MALLORY}",),
}


PLANTS = {**_FOR_ALL, **_FOR_WRITERS}


@pytest.mark.parametrize("what", PLANTS)
def test_what_an_index_does_not_have_is_refused_by_name(watched: Server, url: str, tmp_path: Path, what: str) -> None:
    """Before anything is written or asked; whoever only reads is not concerned by who may write."""
    build(tmp_path, url, 2)
    for statement in PLANTS[what]:
        watched.execute(statement, url.rpartition("/")[2])
    with pytest.raises(StoreError, match=rf"the schema {HOME} holds more than an index"):
        build(tmp_path, url, 3)
    if what in _FOR_ALL:
        with pytest.raises(StoreError, match=rf"the schema {HOME} holds more than an index"):
            open_index(url)


def test_what_a_role_lets_others_do_by_default_is_refused(watched: Server, url: str, tmp_path: Path) -> None:
    """Those who may hang a trigger on a new table would run code as whoever builds next."""
    database = url.rpartition("/")[2]
    watched.execute(f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {MALLORY}", database)
    with pytest.raises(StoreError, match="others may"):
        build(tmp_path, url, 2)


def test_tables_of_a_generation_are_looked_at_before_they_are_read(watched: Server, url: str, tmp_path: Path) -> None:
    """As those that are there once."""
    build(tmp_path, url, 2)
    (schema,) = schemas(url)
    watched.execute(f"ALTER TABLE {schema}.post ENABLE ROW LEVEL SECURITY", url.rpartition("/")[2])
    with pytest.raises(StoreError, match=rf"the schema {schema} holds more"):
        open_index(url)


@pytest.mark.parametrize("part", ["schema", "vectors"])
def test_a_schema_that_is_a_statement_is_damage(watched: Server, url: str, tmp_path: Path, part: str) -> None:
    """Names of schemas stand in statements: one that others wrote is not used unless it is a plain name of ours."""
    build(tmp_path, url, 2)
    database = url.rpartition("/")[2]
    watched.execute(
        "CREATE FUNCTION public.caught() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'caught'; END$$",
        database,
    )
    ((text,),) = watched.execute(f"SELECT manifest FROM {HOME}.generation", database)  # noqa: S608 - our schema
    manifest = json.loads(str(text))
    tables = manifest["files"]["tables"]
    tables[part] = f"{HOME}_g.x JOIN (SELECT public.caught() AS key) v ON true WHERE true OR {tables[part]}"
    changed = json.dumps(manifest)
    watched.execute(
        f"UPDATE {HOME}.generation SET manifest = %s, sha256 = %s, tables = %s",  # noqa: S608 - our schema
        database,
        [changed, hashlib.sha256(changed.encode()).hexdigest(), tables["schema"]],
    )
    with pytest.raises(IndexDamagedError, match=rf"files\.tables\.{part}"):
        open_index(url)
    build(tmp_path, url, 3)
    with open_index(url) as opened:
        assert len(opened.search("knee", 10).hits) == 3


def test_nobody_keeps_readers_or_builds_waiting_by_locks_that_anybody_can_take(
    watched: Server, url: str, tmp_path: Path
) -> None:
    """Advisory locks of every number that there is one for."""
    build(tmp_path, url, 2)
    with as_mallory(url) as mallory:
        for number in (0, 1, lock_number(schemas(url)[0])):
            assert mallory.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, number]).fetchone() == (True,)
        with open_index(url) as opened:
            assert opened.search("knee").hits
            build(tmp_path, url, 3)
            assert opened.refresh()
            assert len(opened.search("knee", 10).hits) == 3
    assert generations(url) == [1, 2]


def test_whoever_may_read_keeps_no_build_waiting(watched: Server, url: str, tmp_path: Path) -> None:
    """A transaction that looked into old tables, and was left open: they go with a later build."""
    build(tmp_path, url, 2)
    (oldest,) = schemas(url)
    database = url.rpartition("/")[2]
    watched.execute(f"GRANT USAGE ON SCHEMA {oldest}, {HOME} TO {MALLORY}", database)
    watched.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {oldest}, {HOME} TO {MALLORY}", database)
    with as_mallory(url) as mallory:
        mallory.execute("BEGIN")
        for schema, table in ((oldest, "post"), (HOME, "writer"), (HOME, "current"), (HOME, "store")):
            mallory.execute(f"SELECT FROM {schema}.{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), as_mallory(url) as other:
            other.execute(f"BEGIN; LOCK TABLE {HOME}.writer IN EXCLUSIVE MODE")
        for pages in (3, 4):
            build(tmp_path, url, pages)
        assert generations(url) == [1, 2, 3]
    build(tmp_path, url, 5)
    assert generations(url) == [3, 4]


def test_a_lock_that_is_kept_on_purpose_is_told(
    watched: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the tables of the index are locked by a role that may: the error says so, and nobody waits for ever."""
    build(tmp_path, url, 2)
    monkeypatch.setattr("qa_search.index.postgres.connections._LOCK_SECONDS", 1)
    with psycopg.connect(url) as administrator:
        administrator.execute(f"LOCK TABLE {HOME}.writer IN EXCLUSIVE MODE")
        with pytest.raises(IndexLockedError, match="another build"):
            build(tmp_path, url, 3)
        administrator.rollback()
        administrator.execute(f"LOCK TABLE {HOME}.encoder_file, {HOME}.current IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreError, match="holds a lock"):
            build(tmp_path, url, 3)
