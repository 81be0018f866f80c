"""The tables of WordPress and of Drupal -> their items."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence

from qa_search.archives.formats.cms_items import Item
from qa_search.archives.formats.database_layout import SEPARATOR, Table, quoted
from qa_search.archives.formats.roles import normal_name, role_of

_WORDPRESS = ("ID", "post_title", "post_content", "post_type", "post_status", "post_parent", "post_date")
_DRUPAL = ("nid", "vid", "type", "title", "status", "uid", "created")
_TERMS = (
    ("_relationships", ("objectid", "termtaxonomyid")),
    ("_taxonomy", ("termid", "termtaxonomyid", "taxonomy")),
    ("s", ("termid", "name")),
)
_ASKS = re.compile(r"forum|question|topic|ask|advice|q_?and_?a|q_?a$", re.IGNORECASE)


class CmsTables:
    """The tables of a content system: found by their names and columns, below any prefix."""

    def __init__(self, rows: sqlite3.Connection, tables: Sequence[Table]) -> None:
        self._rows = rows
        self._tables = {table.name: table for table in tables}
        self.used: set[str] = set()  # the names of tables that say something of the items
        self.wordpress = [
            table for table in tables
            if table.name.endswith("posts") and all(table.named(normal_name(name)) for name in _WORDPRESS)
        ]  # fmt: skip
        # Drupal 8 and later has the titles of its nodes beside them.
        names = [name for last in ("node_field_data", "node") for name in self._tables if name.endswith(last)]
        self.drupal = [self._tables[name] for name in names[:1] if self._has(self._tables[name], *_DRUPAL)]

    def wordpress_items(self, posts: Table) -> Iterator[Item]:
        """Yield the items of a WordPress site: posts, pages, and what its plugins keep as such."""
        prefix = posts.name.removesuffix("posts")
        users = self._find(f"{prefix}users", "id", "displayname")
        users = users or self._find(re.sub(r"\d+_$", "", prefix) + "users", "id", "displayname")  # of several sites
        forums = _grouped("ID", "post_title", posts.name, "post_type = 'forum'")
        joins, author, tags = f" LEFT JOIN {forums} AS f ON f.k = p.post_parent", "''", "NULL"
        if users:
            author = "u.n"
            joins += f" LEFT JOIN {_grouped('ID', 'display_name', users.name)} AS u ON u.k = p.post_author"
        links, kinds, terms = (self._find(f"{prefix}term{name}", *columns) for name, columns in _TERMS)
        if links and kinds and terms:
            tags = "l.n"
            joins += (
                " LEFT JOIN (SELECT r.object_id AS k, group_concat(n.name, char(31)) AS n "  # noqa: S608 - quoted
                f"FROM {quoted(links.name)} AS r "
                f"JOIN {quoted(kinds.name)} AS x ON x.term_taxonomy_id = r.term_taxonomy_id "
                f"JOIN {quoted(terms.name)} AS n ON n.term_id = x.term_id "
                "WHERE x.taxonomy NOT IN ('post_format', 'nav_menu') GROUP BY 1) AS l ON l.k = p.ID"
            )
        sql = (
            f"SELECT p.post_type, p.ID, p.post_parent, p.post_status, p.post_title, p.post_content, p.post_date, '', "  # noqa: S608
            f"{author}, coalesce(f.n, '') || char(31) || coalesce({tags}, '') FROM {quoted(posts.name)} AS p{joins}"
        )
        # Readers do not see older versions of posts, and pictures.
        return self._items(posts, f"{sql} WHERE p.post_type NOT IN ('revision', 'attachment', 'nav_menu_item')")

    def drupal_items(self, nodes: Table) -> Iterator[Item]:
        """Yield a Drupal site's nodes, and the comments on those that ask."""
        prefix = re.sub(r"node(?:_field_data)?$", "", nodes.name)
        asking = [kind for (kind,) in self._rows.execute(f"SELECT DISTINCT type FROM {quoted(nodes.name)}")]  # noqa: S608
        asking = [kind for kind in map(str, asking) if _ASKS.search(kind) and "faq" not in kind]
        kinds = ", ".join("'" + kind.replace("'", "''") + "'" for kind in asking) or "''"
        users = self._find(f"{prefix}users_field_data", "uid", "name") or self._find(f"{prefix}users", "uid", "name")
        author = (
            (f" LEFT JOIN {_grouped('uid', 'name', users.name)} AS u ON u.k = {{}}.uid", "u.n") if users else ("", "''")
        )
        body, text = self._text_of(prefix, nodes)
        index = self._find(f"{prefix}taxonomy_index", "nid", "tid")
        terms = self._find(f"{prefix}taxonomy_term_field_data", "tid", "name")
        terms = terms or self._find(f"{prefix}taxonomy_term_data", "tid", "name")
        tags, named = "", "''"
        if index and terms:
            named = "l.n"
            tags = (
                " LEFT JOIN (SELECT i.nid AS k, group_concat(t.name, char(31)) AS n "  # noqa: S608 - quoted
                f"FROM {quoted(index.name)} AS i JOIN {quoted(terms.name)} AS t ON t.tid = i.tid GROUP BY 1) AS l "
                "ON l.k = n.nid"
            )
        yield from self._items(
            nodes,
            "SELECT CASE WHEN n.type LIKE '%faq%' THEN 'faq' "  # noqa: S608 - quoted
            f"WHEN n.type IN ({kinds}) THEN 'topic' ELSE 'page' END, n.nid, '', "
            "CASE WHEN CAST(n.status AS TEXT) = '0' THEN 'draft' ELSE '' END, "
            f"n.title, {text}, n.created, '', {author[1]}, "
            f"{named} FROM {quoted(nodes.name)} AS n{body}{author[0].format('n')}{tags} GROUP BY n.nid",
        )
        names = (f"{prefix}comment_field_data", f"{prefix}comment", f"{prefix}comments")
        found = (self._find(name, "cid", "status", "uid", "name") for name in names)
        comments = next(filter(None, found), None)
        if comments is None:
            return
        node, date = comments.named("nid", "entityid") or "nid", comments.named("created", "timestamp") or "''"
        joined, said = "", f"c.{quoted(comments.named('comment') or 'subject')}"
        of_texts = ("entityid", "commentbodyvalue")
        texts = self._find(f"{prefix}comment__comment_body", *of_texts)
        texts = texts or self._find(f"{prefix}field_data_comment_body", *of_texts)
        if texts:
            said = "b.n"
            joined = f" LEFT JOIN {_grouped('entity_id', 'comment_body_value', texts.name)} AS b ON b.k = c.cid"
        shown = 0 if comments.named("comment") else 1  # Drupal 6 writes 0 for what is published
        yield from self._items(
            comments,
            f"SELECT 'reply', 'comment-' || c.cid, c.{quoted(node)}, '', '', {said}, c.{quoted(date)}, '', "  # noqa: S608
            f"coalesce(nullif(c.name, ''), {author[1]}), '' FROM {quoted(comments.name)} AS c{joined}"
            f"{author[0].format('c')} WHERE CAST(c.status AS TEXT) = '{shown}' AND c.{quoted(node)} IN "
            f"(SELECT n.nid FROM {quoted(nodes.name)} AS n "
            f"WHERE n.type IN ({kinds}) AND CAST(n.status AS TEXT) <> '0')",
        )

    def _text_of(self, prefix: str, nodes: Table) -> tuple[str, str]:
        """Return how the texts of nodes are joined, and what they are: an answer's field, else the body."""
        found: list[tuple[bool, str, str]] = []
        for name, table in self._tables.items():
            match = re.fullmatch(rf"{re.escape(prefix)}(?:node__|field_data_)(?:field_)?(\w+)", name)
            value = next((c for c in table.columns if c.endswith("_value")), None) if match else None
            if match and value and self._has(table, "entityid") and not match[1].startswith("comment"):
                role = (role_of(match[1]) or ("",))[0]
                if role in ("answer", "body"):
                    found.append((role != "answer", name, value))
        old = self._find(f"{prefix}node_revisions", "vid", "body")
        if old:
            inner = f"(SELECT vid AS k, max(body) AS n FROM {quoted(old.name)} GROUP BY 1)"  # noqa: S608 - quoted
            return f" LEFT JOIN {inner} AS b ON b.k = n.vid", "b.n"
        joins, texts = "", []
        for number, (_, name, value) in enumerate(sorted(found)):
            alias = f"b{number}"
            self.used.add(name)
            texts.append(f"{alias}.n")
            of_nodes = "entity_type = 'node'" if self._tables[name].named("entitytype") else "1"
            joins += f" LEFT JOIN {_grouped('entity_id', value, name, of_nodes)} AS {alias} ON {alias}.k = n.nid"
        return joins, f"coalesce({', '.join([*texts, 'NULL', 'NULL'])})"

    def _items(self, table: Table, sql: str) -> Iterator[Item]:
        for number, row in enumerate(self._rows.execute(sql), start=1):
            kind, own, parent, status, title, content, date, url, author, tags = (
                "" if value is None or isinstance(value, bytes) else str(value) for value in row
            )
            names = tuple(tag for tag in tags.split(SEPARATOR) if tag and tag != "Uncategorized")
            yield Item(f"table {table.name}, row {number}", kind, own, parent, status, title, content, date, url,
                       author, names)  # fmt: skip

    def _find(self, name: str, *columns: str) -> Table | None:
        """Find a table that has some columns, names folded."""
        found = self._tables.get(name)
        if found is None or not self._has(found, *columns):
            return None
        self.used.add(name)
        return found

    def _has(self, table: Table, *folded: str) -> bool:
        return all(table.named(name) for name in folded)


def _grouped(key: str, name: str, table: str, where: str = "1") -> str:
    """Select a name or a text for each key of a table."""
    return f"(SELECT {key} AS k, max({quoted(name)}) AS n FROM {quoted(table)} WHERE {where} GROUP BY 1)"  # noqa: S608
