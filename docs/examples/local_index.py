"""Build an index and search it in this process, without a service.

python docs/examples/local_index.py data/archive index
"""

import sys

from qa_search import QASearchError, SearchIndex, build_index

source, folder = sys.argv[1:] or ("data/archive", "index")
try:
    report = build_index([source], folder)  # embeds only what is new
    print(f"{report.posts} posts, {report.embedded} passages embedded, {report.reused} known from before")

    with SearchIndex.open(folder) as index:
        for result in index.search_many(["sore knee on stairs", "numb toes on long runs"], k=1, since="2010"):
            for hit in result.hits:
                before, after = index.neighbours(hit.post_id)
                print(f"{result.query}: {hit.title}")
                print(f"   before it: {before and before.title}, after it: {after and after.title}")
except QASearchError as error:
    sys.exit(f"Error: {error}")
