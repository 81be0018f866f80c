"""A hit or a post -> text for a terminal, Markdown, CSV, HTML, or an assistant."""
