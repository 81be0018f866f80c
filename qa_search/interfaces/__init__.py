"""The interfaces to the search: the command line, HTTP, assistants."""
