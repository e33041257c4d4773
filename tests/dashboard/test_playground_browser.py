"""The Playground as people use it: asked, stopped, compared, kept, and never taken in by what a model says."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.dashboard.conftest import ARTIFACTS, PROJECT, Site
from tests.dashboard.test_browser import _problems
from tests.upstream import Hang, Send, Upstream, chunk, error, events, frames, stream_head, streamed

pytestmark = pytest.mark.slow

DEV = "dev@example.com"
SCRIPTED = "scripted-model"
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
TOOL = [{"name": "get_weather", "input_schema": {"type": "object"}}]


@pytest.fixture(scope="module")
def upstream(site: Site) -> Iterator[Upstream]:
    """A provider that answers as it is told, under a model that thinks and takes tools."""
    with Upstream() as upstream:
        made = (
            "from admin_api.actions import models, providers; from admin_api.actor import SYSTEM;"
            "from admin_api.catalog import Rates, RouteTo; from decimal import Decimal;"
            f"providers.upsert(actor=SYSTEM, name='scripted', dialect='anthropic', base_url='{upstream.base_url}');"
            f"models.upsert(actor=SYSTEM, name='{SCRIPTED}', routes=[RouteTo('scripted', 'claude-opus-4-6')],"
            "  price=Rates(*[Decimal(1)] * 5))"
        )
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", made],
            cwd=PROJECT,
            env=dict(site.environment),
            check=True,
        )
        yield upstream


@pytest.fixture
def page(site: Site, chromium: Browser, cookies_of: Callable[[str], list]) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_cookies(cookies_of(DEV))
        page = context.new_page()
        problems = _problems(page, f"{site.url}/playground")
        page.goto(f"{site.url}/playground")
        yield page
        assert [one for one in problems if not one.endswith("net::ERR_ABORTED")] == []  # what is stopped is


def say(page: Page, words: str) -> None:
    page.get_by_role("textbox").last.fill(words)
    page.get_by_role("button", name="Send").click()


def answered(page: Page, times: int = 1) -> Locator:
    """The figures below the answers, once each has some."""
    figures = page.locator(".turn-figures")
    expect(figures).to_have_count(times)
    return figures


def test_an_answer_streams_in_with_what_it_used_and_cost(site: Site, page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Playground")
    page.get_by_label("Model", exact=True).select_option("claude-haiku-5-5")
    page.get_by_role("textbox").last.fill("Hello there")
    expect(page.get_by_text(re.compile(r"About \d+ tokens to send"))).to_be_visible()
    page.keyboard.press("Control+Enter")
    figures = answered(page)
    expect(figures).to_contain_text(re.compile(r"\d+ input tokens\s*\d+ output tokens"))
    expect(figures).to_contain_text(re.compile(r"\d\.\d\d s to first token"))
    expect(figures).to_contain_text(re.compile(r"\$0\.\d+"))
    expect(page.locator(".turn-answer .turn-text")).to_contain_text("Hello there")
    expect(page.get_by_role("textbox").last).to_have_value("")
    request_id = str(page.locator(".turn-figures [title*=req_]").get_attribute("title")).rpartition(" ")[2]
    with psycopg.connect(site.database_url) as database:
        row = database.execute(
            "SELECT input_tokens, output_tokens FROM usage_event WHERE request_id = %s", [request_id]
        ).fetchone()
    assert row is not None
    told = re.findall(r"(\d+) (?:in|out)put tokens", figures.inner_text())
    assert told == [str(figure) for figure in row]


def test_what_a_model_says_stays_text(page: Page, upstream: Upstream) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    thought = {"type": "thinking", "thinking": MARKUP, "signature": "signed"}
    call = {"type": "tool_use", "id": "toolu_1", "name": MARKUP, "input": {MARKUP: MARKUP}}
    script = upstream.script(streamed(frames(_events([thought, {"type": "text", "text": MARKUP}, call]))))
    page.get_by_label("Model", exact=True).select_option(SCRIPTED)
    say(page, f"{script} {MARKUP}")
    answered(page)
    page.locator(".turn-fold summary").click()
    expect(page.locator(".turn-text").last).to_have_text(MARKUP)
    expect(page.locator(".turn-fold .turn-pre")).to_have_text(MARKUP)
    expect(page.get_by_label(f"Result of {MARKUP}")).to_be_visible()
    assert page.locator(".turns img, .turns script").count() == 0
    assert dialogs == []


def test_thoughts_and_calls_go_back_as_they_came(page: Page, upstream: Upstream) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
    call = {"type": "tool_use", "id": "toolu_7", "name": "get_weather", "input": {"city": "Łódź ☂"}}
    script = upstream.script(streamed(frames(_events([thought, call], stop="tool_use"))))
    page.get_by_label("Model", exact=True).select_option(SCRIPTED)
    page.get_by_label("Tools").fill(json.dumps(TOOL))
    page.get_by_label("Thinking", exact=True).select_option("adaptive")
    page.get_by_label("Cache the prompt").check()
    page.get_by_label("System prompt").fill("Be brief.")
    say(page, script)
    page.get_by_label("Result of get_weather").fill("Rain")
    page.get_by_role("button", name="Send").click()
    answered(page, 2)
    sent = upstream.received(script)[-1].json
    marked = {"cache_control": {"type": "ephemeral"}}
    assert sent["messages"][1] == {"role": "assistant", "content": [thought, call]}
    assert sent["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_7", "content": "Rain", **marked}
    ]
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent["system"] == [{"type": "text", "text": "Be brief.", **marked}]
    assert sent["tools"] == [{**TOOL[0], **marked}]
    assert sent["max_tokens"] == 4096 and sent["stream"] is True


def test_stop_keeps_what_was_written_and_ends_the_request(page: Page, upstream: Upstream) -> None:
    begun = frames(events(["One", " two"]))[:5]
    script = upstream.script(Send(stream_head()), *[Send(chunk(part)) for part in begun], Hang())
    page.get_by_label("Model", exact=True).select_option(SCRIPTED)
    say(page, script)
    expect(page.locator(".turn-text").last).to_have_text("One two")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. What had been written is charged.")).to_be_visible()
    answered(page)
    assert upstream.received(script)[0].closed.wait(5)
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    expect(page.locator(".turn-text").last).to_have_text("One two")


def test_a_new_conversation_forgets_the_answer_under_way(page: Page, upstream: Upstream) -> None:
    begun = frames(events(["One", " two"]))[:5]
    endless = upstream.script(Send(stream_head()), *[Send(chunk(part)) for part in begun], Hang())
    script = upstream.script(streamed(frames()))
    page.get_by_label("Model", exact=True).select_option(SCRIPTED)
    say(page, endless)
    expect(page.locator(".turn-text").last).to_have_text("One two")
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_text("Write a message, or begin with a sample")).to_be_visible()
    assert upstream.received(endless)[0].closed.wait(5)
    say(page, script)
    answered(page)
    assert upstream.received(script)[0].json["messages"] == [{"role": "user", "content": script}]


def test_an_error_is_told_in_words_with_its_request_id(page: Page, upstream: Upstream) -> None:
    page.get_by_label("Model", exact=True).select_option(SCRIPTED)
    broken = [*frames(events(["Half an"]))[:4], *frames([error("overloaded_error", "Too busy")])]
    script = upstream.script(streamed(broken, delay=0.1))
    say(page, script)
    problem = page.get_by_role("alert").filter(visible=True)
    expect(problem).to_contain_text("Too busy")
    expect(problem).to_contain_text(re.compile(r"Request id: req_\w+"))
    expect(page.locator(".turn-text").last).to_have_text("Half an")
    page.get_by_label("Tools").fill("[{")
    say(page, "again")
    expect(page.locator("#tools-error")).to_contain_text("this is not JSON")


def test_what_is_refused_goes_back_to_where_it_was_typed(
    site: Site, chromium: Browser, cookies_of: Callable[[str], list]
) -> None:
    with chromium.new_context(reduced_motion="reduce") as context:  # a refusal is written to the console
        context.add_cookies(cookies_of(DEV))
        page = context.new_page()
        page.goto(f"{site.url}/playground")
        page.locator("summary", has_text="System prompt").click()
        page.locator("summary", has_text="System prompt").click()
        page.get_by_label("Max tokens").fill("900000000")
        say(page, "Hello")
        problem = page.get_by_role("alert").filter(visible=True)
        expect(problem).to_contain_text("max_tokens: 900000000 >")
        expect(problem).to_contain_text(re.compile(r"Request id: req_\w+"))
        expect(page.get_by_role("textbox").last).to_have_value("Hello")
        expect(page.locator(".turn")).to_have_count(0)
        context.clear_cookies(name="session")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("link", name="Sign in")).to_have_attribute(
            "href", "/login?next=%2Fplayground"
        )


def test_two_models_answer_side_by_side_and_variables_are_filled(page: Page, upstream: Upstream) -> None:
    script = upstream.script(streamed(frames()))
    page.get_by_label("Model", exact=True).select_option("claude-haiku-5-5")
    page.get_by_label("Compare two models").check()
    page.get_by_label("Second model").select_option(SCRIPTED)
    page.get_by_role("textbox").last.fill(f"{script} Hello {{{{name}}}}")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The variable name has no value.")).to_be_visible()
    expect(page.get_by_label("name", exact=True)).to_be_focused()
    page.get_by_label("name", exact=True).fill("Grace")
    page.get_by_role("button", name="Send").click()
    answered(page, 2)
    expect(page.locator(".pane").first.locator(".turn-answer")).to_contain_text("Hello Grace")
    expect(page.locator(".pane").last.locator(".turn-answer")).to_contain_text("Hello from the provider.")
    assert upstream.received(script)[0].json["messages"] == [
        {"role": "user", "content": f"{script} Hello Grace"}
    ]
    page.screenshot(path=ARTIFACTS / "playground-compared-1280.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.screenshot(path=ARTIFACTS / "playground-compared-360.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_image_goes_along_as_base64(page: Page, upstream: Upstream) -> None:
    script, picture = upstream.script(streamed(frames())), _picture()
    page.get_by_label("Model", exact=True).select_option(SCRIPTED)
    page.get_by_label("Add images").set_input_files(
        [
            {"name": "dot.png", "mimeType": "image/png", "buffer": picture},
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"},
        ]
    )
    expect(page.get_by_text("notes.txt is no PNG, JPEG, GIF or WebP image.")).to_be_visible()
    say(page, script)
    answered(page)
    image, text = upstream.received(script)[0].json["messages"][0]["content"]
    assert image["source"]["media_type"] == "image/png" and text["text"] == script
    assert len(image["source"]["data"]) >= len(picture)
    expect(page.get_by_role("img", name="The image that was sent")).to_be_visible()


def test_a_prompt_is_saved_and_loaded_and_its_code_runs(site: Site, page: Page) -> None:
    page.get_by_label("Model", exact=True).select_option("claude-haiku-5-5")
    page.get_by_role("button", name="Sort a ticket").click()
    page.locator("summary", has_text="Saved prompts").click()
    page.get_by_label("Prompt name").fill("Tickets")
    page.get_by_role("button", name="Save prompt").click()
    expect(page.get_by_text("Saved as Tickets.")).to_be_visible()
    expect(page.get_by_role("textbox").last).to_have_value("{{ticket}}")
    expect(page.get_by_label("ticket", exact=True)).to_have_value("I was charged twice in May.")
    expect(page.get_by_label("Model", exact=True)).to_have_value("claude-haiku-5-5")
    page.get_by_role("button", name="Get code").click()
    code = {name: _code(page, name) for name in ("curl", "Python", "TypeScript", "Claude Code", "JSON")}
    assert all("I was charged twice in May." in text for text in code.values())
    ran = subprocess.run(
        ["sh", "-c", code["curl"].replace("YOUR_API_KEY", site.api_key).replace("curl ", "curl -sS ", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert "I was charged twice in May." in json.loads(ran.stdout)["content"][0]["text"]
    python = code["Python"].replace("YOUR_API_KEY", site.api_key)
    told = subprocess.run([sys.executable, "-c", python], capture_output=True, check=True, text=True).stdout
    assert "I was charged twice in May." in told
    answer = httpx.post(
        f"{site.url}/v1/messages", json=json.loads(code["JSON"]), headers={"x-api-key": site.api_key}
    )
    assert answer.json()["content"][0]["text"] in told.replace("\\", "")


def test_the_stream_is_read_however_it_is_cut(page: Page) -> None:
    """Events with every kind of line end, comments, several data lines, and characters of four bytes."""
    stream = "\ufeff: hello\r\nevent: a\ndata: 1\r\rdata: Łódź ☂ 🦊\ndata:two\n\nevent:c\r\ndata\r\n\r\ndata: end\n\n"
    wanted = [
        {"event": "a", "data": "1"},
        {"event": "message", "data": "Łódź ☂ 🦊\ntwo"},
        {"event": "c", "data": ""},
        {"event": "message", "data": "end"},
    ]
    read = """async ([text, sizes]) => {
      const { eventsOf } = await import("/static/js/playground_stream.js");
      const bytes = new TextEncoder().encode(text);
      const all = [];
      for (const size of sizes) {
        const body = new ReadableStream({ start(told) {
          for (let at = 0; at < bytes.length; at += size) told.enqueue(bytes.slice(at, at + size));
          told.close();
        } });
        const events = [];
        for await (const event of eventsOf(body)) events.push(event);
        all.push(events);
      }
      return all;
    }"""
    sizes = [*range(1, 40), 1000]
    assert page.evaluate(read, [stream, sizes]) == [wanted] * len(sizes)


def _code(page: Page, language: str) -> str:
    page.get_by_role("button", name=language, exact=True).click()
    return str(page.locator("#code").text_content())


def _events(blocks: list[dict], stop: str = "end_turn") -> list[dict]:
    """An answer of these blocks, each told in pieces as providers do."""
    begun, *_, delta, end = events()
    told = [begun]
    for index, block in enumerate(blocks):
        empty, pieces = _pieces(block)
        told.append({"type": "content_block_start", "index": index, "content_block": empty})
        told += [{"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces]
        told.append({"type": "content_block_stop", "index": index})
    return [*told, {**delta, "delta": {**delta["delta"], "stop_reason": stop}}, end]


def _pieces(block: dict) -> tuple[dict, list[dict]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"], ensure_ascii=False)
        parts = [text[at : at + 7] for at in range(0, len(text), 7)]
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    if block["type"] == "thinking":
        empty = {"type": "thinking", "thinking": "", "signature": ""}
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        return empty, [thought, {"type": "signature_delta", "signature": block["signature"]}]
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in block["text"]]


def _picture() -> bytes:
    """A PNG of one black pixel."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", head)
        + part(b"IDAT", zlib.compress(b"\0\0"))
        + part(b"IEND", b"")
    )
