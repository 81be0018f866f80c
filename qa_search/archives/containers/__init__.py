"""Folders, .gz, .zip and .7z -> the files in them."""
