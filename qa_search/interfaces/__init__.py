"""A search, as people and programs reach it: the command line, HTTP, assistants."""
