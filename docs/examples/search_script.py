"""Ask a running service from a script.

qa-search serve &
python docs/examples/search_script.py "back of my thigh has ached for months, PT did nothing"
"""

import os
import sys

from qa_search import Client, QASearchError

url = os.environ.get("QA_SEARCH_URL", "http://127.0.0.1:8080")
try:
    with Client(url, token=os.environ.get("QA_SEARCH_TOKEN")) as client:
        result = client.search(" ".join(sys.argv[1:]) or "sore knee", k=3)
        if not result.answered:
            print(f"Nothing in the archive seems to answer this ({result.confidence:.0%}). The nearest posts:")
        for hit in result.hits:
            print(f"{hit.rank}. {hit.title} ({(hit.date or 'no date')[:10]}, {hit.confidence:.0%})")
            print(f"   {hit.highlight.text}")
            print(f"   {url}/posts/{hit.post_id}")
except QASearchError as error:
    sys.exit(f"Error: {error}")
