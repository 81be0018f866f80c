r"""Ask a running service many complaints at once, one from each line of standard input.

qa-search serve &
printf '%s\n' "sore knee on stairs" "numb toes on long runs" | python docs/examples/search_async.py
"""

import asyncio
import os
import sys

from qa_search import AsyncClient, QASearchError


async def main() -> None:
    """Print the best post for each complaint."""
    complaints = [line.strip() for line in sys.stdin if line.strip()]
    url = os.environ.get("QA_SEARCH_URL", "http://127.0.0.1:8080")
    async with AsyncClient(url, token=os.environ.get("QA_SEARCH_TOKEN")) as client:
        for result in await client.search_many(complaints, k=1):
            best = result.hits[0].title if result.answered else "nothing seems to answer this"
            print(f"{result.query}: {best}")


try:
    asyncio.run(main())
except QASearchError as error:
    sys.exit(f"Error: {error}")
