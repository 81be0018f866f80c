"""An index in PostgreSQL with pgvector, in one server or hash-partitioned over several.

::

    schema qa_search                one per database
        store                       the format, and the id by which shards know whose tables they hold
        generation                  every finished generation: its number, its manifest, the schema of its tables
        current                     one row: the generation that answers. It is replaced in one transaction
        encoder_file                the exported encoders, in pieces, by the SHA-256 of each file
        writer                      an empty table, which the build that writes locks
    schema qa_search_g000001_...    the tables of a generation, never changed after they are published. A later
                                    generation of the same posts and vectors uses them, too. The name is never reused

A reader holds a shared advisory lock on its generation, and a build drops only generations that nobody holds. One build
writes at a time: it holds a lock on a table, which ends with its connection. Every statement goes through
`Connection.execute`, which adds its schema to every name (`statements`).

Only this package imports psycopg, and it is imported only when a database is named.
"""
