"""Search as an assistant does: start the server of the Model Context Protocol, list its tools, call one.

qa-search build
python docs/examples/mcp_client.py "back of my thigh has ached for months, PT did nothing"
"""

import asyncio
import os
import sys

from mcp import Client, StdioServerParameters


async def main() -> None:
    """Print what an assistant gets to read."""
    index = os.environ.get("QA_SEARCH_INDEX", "index")
    server = StdioServerParameters(command=sys.executable, args=["-m", "qa_search", "mcp", "--index", index])
    async with Client(server) as client:
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {tool.title}")
        complaint = " ".join(sys.argv[1:]) or "sore knee"
        result = await client.call_tool("search", {"complaint": complaint, "k": 3})
        for content in result.content:
            print(getattr(content, "text", ""))


asyncio.run(main())
