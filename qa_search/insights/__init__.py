"""An open index and the complaints that people had -> what the archive lacks, and what it is about."""
