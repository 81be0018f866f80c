"""``python -m qa_search`` is ``qa-search``."""

from qa_search.interfaces.cli import main

if __name__ == "__main__":
    main()
