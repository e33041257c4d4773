"""A request again, as code: the model and how it was asked; what was asked is left out.

Each is made with the language's own way to write a text, since a model's name may hold anything.
"""

from __future__ import annotations

import dataclasses
import json
import shlex

from django.conf import settings

from admin_api.queries.log_entries import Entry
from dashboard.frame.snippets import EXAMPLE_KEY

HELLO = "Put your message here."
MOST = 1024  # tokens of an answer: what was allowed is not known


@dataclasses.dataclass(frozen=True)
class Copy:
    key: str
    label: str
    file: str
    code: str


def copies(entry: Entry) -> list[Copy]:
    """In curl, Python and TypeScript; requests of the chat and responses endpoints by OpenAI's SDKs."""
    body = _body(entry)
    python, typescript = _anthropic(entry) if _is_messages(entry) else _openai(entry)
    return [
        Copy("curl", "curl", "request.sh", _curl(entry, body)),
        Copy("python", "Python", "request.py", python),
        Copy("typescript", "TypeScript", "request.ts", typescript),
    ]


def copy_of(found: list[Copy], key: str) -> Copy:
    return next((one for one in found if one.key == key), found[0])


def _is_messages(entry: Entry) -> bool:
    return entry.endpoint.startswith("messages")


def _counts(entry: Entry) -> bool:
    return entry.endpoint == "messages/count_tokens"


def _body(entry: Entry) -> dict[str, object]:
    model, message = {"model": entry.model_requested}, [{"role": "user", "content": HELLO}]
    stream = {"stream": True} if entry.stream else {}
    if entry.endpoint == "responses":
        return {**model, "input": HELLO, **stream}
    if _counts(entry):
        return {**model, "messages": message}
    return {**model, "max_tokens": MOST, "messages": message, **stream}


def _curl(entry: Entry, body: dict[str, object]) -> str:
    """A stream is shown as it comes (`--no-buffer`)."""
    path = "messages" if entry.endpoint.startswith("messages/batches") else entry.endpoint
    key = "x-api-key: " if _is_messages(entry) else "authorization: Bearer "
    lines = [f"curl {shlex.quote(f'{settings.CONFIGURATION.base_url}/v1/{path}')}"]
    lines += ["--no-buffer"] if entry.stream else []
    lines += [f"--header {shlex.quote(key + EXAMPLE_KEY)}"]
    lines += ['--header "anthropic-version: 2023-06-01"'] if _is_messages(entry) else []
    lines += ['--header "content-type: application/json"']
    return " \\\n  ".join([*lines, f"--data {shlex.quote(_json(body))}"])


def _anthropic(entry: Entry) -> tuple[str, str]:
    """In Python and TypeScript."""
    given = {name: value for name, value in _body(entry).items() if name != "stream"}
    python, typescript = _clients(
        "anthropic", "Anthropic", "@anthropic-ai/sdk", settings.CONFIGURATION.base_url
    )
    if _counts(entry):
        return _whole("messages.count_tokens", "messages.countTokens", python, typescript, given)
    if not entry.stream:
        return _whole("messages.create", "messages.create", python, typescript, given)
    return (
        f"{python}with client.messages.stream(\n{_arguments(given)}) as stream:\n"
        '    for text in stream.text_stream:\n        print(text, end="", flush=True)',
        f"{typescript}const stream = client.messages.stream({_json(given)});\n"
        "for await (const event of stream) console.log(event);",
    )


def _openai(entry: Entry) -> tuple[str, str]:
    method = "responses.create" if entry.endpoint == "responses" else "chat.completions.create"
    python, typescript = _clients("openai", "OpenAI", "openai", f"{settings.CONFIGURATION.base_url}/v1")
    if not entry.stream:
        return _whole(method, method, python, typescript, _body(entry))
    return (
        f"{python}stream = client.{method}(\n{_arguments(_body(entry))})\nfor event in stream:\n    print(event)",
        f"{typescript}const stream = await client.{method}({_json(_body(entry))});\n"
        "for await (const event of stream) console.log(event);",
    )


def _clients(module: str, name: str, package: str, base_url: str) -> tuple[str, str]:
    """How a client is made in both languages."""
    base, key = json.dumps(base_url), json.dumps(EXAMPLE_KEY)
    return (
        f"from {module} import {name}\n\nclient = {name}(\n    base_url={base},\n    api_key={key},\n)\n\n",
        f"import {name} from {json.dumps(package)};\n\n"
        f"const client = new {name}({{\n  baseURL: {base},\n  apiKey: {key},\n}});\n\n",
    )


def _whole(
    python_method: str, method: str, python: str, typescript: str, given: dict[str, object]
) -> tuple[str, str]:
    """Where the answer comes in one piece."""
    return (
        f"{python}answer = client.{python_method}(\n{_arguments(given)})\nprint(answer)",
        f"{typescript}const answer = await client.{method}({_json(given)});\nconsole.log(answer);",
    )


def _arguments(given: dict[str, object]) -> str:
    return "".join(f"    {name}={value!r},\n" for name, value in given.items())


def _json(value: object) -> str:
    return json.dumps(value, indent=2 if isinstance(value, dict) else None, ensure_ascii=False)
