"""A hit -> text, HTML, Markdown or CSV."""
