"""A judged set and an index -> measures, and weights learnt from them."""
