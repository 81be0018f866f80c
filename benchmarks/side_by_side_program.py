"""Queries on standard input, a JSON text a line -> for each a line with its time and the ids of its hits."""

import json
import resource
import sys
import time

from qa_search import SearchIndex


def computed() -> float:
    """Return the seconds that this process has computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with SearchIndex.open(sys.argv[1]) as index:
        for line in sys.stdin:
            started, before = time.perf_counter(), computed()
            result = index.search(json.loads(line))
            taken = {"seconds": time.perf_counter() - started, "computed": computed() - before}
            print(json.dumps({**taken, "hits": [hit.post_id for hit in result.hits]}), flush=True)
