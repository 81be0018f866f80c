"""Checks a database before it is used: its owner may have put code there that would run as its user."""

from __future__ import annotations

from collections.abc import Sequence

from qa_search.errors import StoreError
from qa_search.index.postgres.connections import Address, Connection
from qa_search.index.postgres.schema import HOME

_OURS = """
WITH home AS (SELECT n.oid, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = %s),
ours AS (SELECT c.oid, c.relname::text AS named, c.relkind::text AS kind, c.relowner, c.relrowsecurity, c.relacl
    FROM pg_catalog.pg_class c JOIN home ON c.relnamespace = home.oid
    WHERE NOT (c.relkind = 'v' AND c.relname = ANY(%s::name[])))
"""
# Each finds objects that an index does not have, and that could run code of their owner.
_NOT_OURS = (
    # Tables and their indices; on a coordinator their partitions, which are foreign tables, too.
    "SELECT named || ' is not a table' FROM ours WHERE NOT kind IN ('r', 'i') AND NOT (%s AND kind IN ('p', 'I', 'f'))",
    "SELECT named || ' belongs to another role than the schema' FROM ours JOIN home ON relowner <> home.nspowner",
    "SELECT 'trigger ' || t.tgname::text FROM pg_catalog.pg_trigger t JOIN ours ON t.tgrelid = ours.oid "
    "WHERE NOT t.tgisinternal",
    "SELECT 'rule ' || r.rulename::text FROM pg_catalog.pg_rewrite r JOIN ours ON r.ev_class = ours.oid",
    "SELECT 'row security of ' || named FROM ours WHERE relrowsecurity",
    "SELECT 'policy ' || p.polname::text FROM pg_catalog.pg_policy p JOIN ours ON p.polrelid = ours.oid",
    "SELECT 'a default of ' || named FROM pg_catalog.pg_attrdef d JOIN ours ON d.adrelid = ours.oid "
    "WHERE pg_get_expr(d.adbin, d.adrelid) <> 'true'",
    "SELECT 'constraint ' || k.conname::text FROM pg_catalog.pg_constraint k JOIN ours ON k.conrelid = ours.oid "
    "WHERE k.contype = 'c' AND pg_get_constraintdef(k.oid) <> 'CHECK (one)'",
    "SELECT 'index of an expression ' || named FROM pg_catalog.pg_index i JOIN ours ON i.indexrelid = ours.oid "
    "WHERE NOT (i.indexprs IS NULL AND i.indpred IS NULL)",
    "SELECT 'statistics of expressions of ' || named FROM pg_catalog.pg_statistic_ext x "
    "JOIN ours ON x.stxrelid = ours.oid WHERE NOT x.stxexprs IS NULL",
    "SELECT 'a part of ' || named FROM pg_catalog.pg_inherits h JOIN ours ON h.inhparent = ours.oid "
    "WHERE NOT h.inhrelid IN (SELECT o.oid FROM ours o)",
    "SELECT 'type ' || y.typname::text FROM pg_catalog.pg_attribute a JOIN ours ON a.attrelid = ours.oid "
    "JOIN pg_catalog.pg_type y ON y.oid = a.atttypid WHERE y.typnamespace <> 'pg_catalog'::regnamespace "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid "
    "WHERE d.objid = y.oid AND d.deptype = 'e' AND e.extname = 'vector')",
    "SELECT 'function ' || f.proname::text FROM pg_catalog.pg_proc f JOIN home ON f.pronamespace = home.oid",
)
# For writing: nobody else may change the code that a write runs.
_NOT_MINE = (
    "SELECT 'its owner is ' || o.rolname::text FROM home JOIN pg_catalog.pg_roles o ON o.oid = home.nspowner "
    "JOIN pg_catalog.pg_roles me ON me.rolname = current_user "
    "WHERE NOT (o.oid = me.oid OR o.rolsuper OR (NOT me.rolsuper AND pg_has_role(o.oid, 'MEMBER')))",
    "SELECT 'others may ' || x.privilege_type || ' ' || named FROM ours CROSS JOIN LATERAL aclexplode(relacl) x "
    "WHERE x.grantee <> relowner AND x.privilege_type <> 'SELECT'",
    "SELECT 'others may create in it' FROM home CROSS JOIN LATERAL aclexplode(nspacl) x "
    "WHERE x.grantee <> nspowner AND x.privilege_type = 'CREATE'",
    "SELECT 'event trigger ' || v.evtname::text FROM pg_catalog.pg_event_trigger v "
    "JOIN pg_catalog.pg_roles o ON o.oid = v.evtowner WHERE v.evtenabled <> 'D' AND NOT o.rolsuper "
    "AND o.rolname <> current_user",
)


def require_plain(
    connection: Connection,
    address: Address,
    schema: str = HOME,
    *,
    sharded: bool = False,
    mine: bool = False,
    views: Sequence[str] = (),
) -> None:
    """Make sure that a schema holds only tables and indices, so that code of others never runs.

    Args:
        connection: the connection whose role would run such code.
        address: the name of the database in errors.
        schema: the schema; it may be missing.
        sharded: whether partitions on other servers are expected.
        mine: whether it will be written to: then only its owner and superusers may change it.
        views: the views that it may have, which are not used.

    Raises:
        StoreError: if it holds other objects; the message names them.
    """
    checks = (*_NOT_OURS, *_NOT_MINE) if mine else _NOT_OURS
    found = connection.execute(_OURS + " UNION ALL ".join(checks), [schema, list(views), sharded]).fetchall()
    if found:
        names = ", ".join(str(what)[:100] for (what,) in found[:5])
        raise StoreError(
            f"{address}: the schema {schema} holds more than an index, or belongs to another role ({names}). It could "
            "run code as you. Build as the role that owns the schema, or in another database. Or look at the schema "
            f"and drop it (DROP SCHEMA {schema} CASCADE)."
        )
