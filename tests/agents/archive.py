"""An MCP server over stdin and stdout with one tool whose name is longer than some providers take.

python archive.py [SECONDS]         # seconds until it says what it has
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

Json = dict[str, Any]

TOOL = {
    "name": "find_one_entry_by_its_title",
    "description": "What is written down under a title.",
    "inputSchema": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
}


def main() -> None:
    delay = float(sys.argv[1]) if len(sys.argv) > 1 else 0
    for line in sys.stdin:
        request = json.loads(line)
        if request["method"] == "initialize":
            time.sleep(delay)
        if "id" in request:
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **_answer(request)}), flush=True)


def _answer(request: Json) -> Json:
    asked = request.get("params", {})
    match request["method"]:
        case "initialize":
            about = {"name": "archive", "version": "1"}
            return _result(
                protocolVersion=asked["protocolVersion"], capabilities={"tools": {}}, serverInfo=about
            )
        case "tools/list":
            return _result(tools=[TOOL])
        case "tools/call":
            found = f"Nothing is written down about {asked['arguments']['title']}."
            return _result(content=[{"type": "text", "text": found}])
        case method:
            return {"error": {"code": -32601, "message": f"{method} is unknown here"}}


def _result(**values: Any) -> Json:
    return {"result": values}


if __name__ == "__main__":
    main()
