"""An index in PostgreSQL with pgvector, in one server or hash-partitioned over several.

::

    schema qa_search                one per database
        store                       the format, and the id by which shards know whose tables they hold
        generation                  every generation that is whole: its number, its manifest, whose tables it uses
        current                     one row: the generation that answers. It is replaced in one transaction
        encoder_file                the exported encoders, in pieces, by the SHA-256 of each file
        writer                      nothing: the build that writes has it locked
    schema qa_search_g000001_...    the tables of a generation, never changed after they are published; a later one
                                    of the same posts and vectors uses them too. Its name is never used again

A reader holds a shared advisory lock on its generation, and a build drops only those that nobody holds. One build
writes at a time: it holds a lock on a table, which ends with its connection. Every statement goes through
`Connection.execute`, which names all that it uses with its schema (`statements`).

Only this package imports psycopg, and nothing imports this package before a database is named.
"""
