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
    schema qa_search_vectors_...    a table of vectors by the keys of their passages. Generations of one model share it:
                                    rows are only added (`vectors`)

A build has the database copy what the generation that answers has, too, and sends the rest (`kept`).

A reader holds a shared advisory lock on its generation, and a build drops only generations that nobody holds. One build
writes at a time: it holds a lock on a table, which ends with its connection. Every statement goes through
`Connection.execute`, which adds its schema to every name (`statements`).

Only this package imports psycopg, and it is imported only when a database is named.
"""
