"""An index in PostgreSQL: real servers, started by the tests themselves."""
