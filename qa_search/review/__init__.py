"""An index -> the state of its archive: near-copies, differing answers, open questions, thin answers, broken links."""
