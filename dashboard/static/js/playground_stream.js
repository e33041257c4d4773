// Server-sent events as they come: text in pieces of any size, cut anywhere, becomes whole events.

const LINE_END = /\r\n|\n|\r/g;

/** Feed it text; each call gives the events that are complete: [{event, data}]. */
export class EventParser {
  #rest = "";
  #event = "";
  #data = [];
  #first = true;

  feed(text) {
    if (this.#first && text) {
      this.#first = false;
      if (text.startsWith("\ufeff")) text = text.slice(1);
    }
    const events = [];
    let start = 0;
    const all = this.#rest + text;
    for (const end of all.matchAll(LINE_END)) {
      if (end[0] === "\r" && end.index + 1 === all.length) break; // the line feed may be in the next piece
      this.#line(all.slice(start, end.index), events);
      start = end.index + end[0].length;
    }
    this.#rest = all.slice(start);
    return events;
  }

  #line(line, events) {
    if (line === "") return this.#dispatch(events);
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") this.#event = value;
    if (name === "data") this.#data.push(value);
  }

  #dispatch(events) {
    if (this.#data.length) events.push({ event: this.#event || "message", data: this.#data.join("\n") });
    this.#event = "";
    this.#data = [];
  }
}

/** The events of a response's body, one after another. Bytes may be cut within a character. */
export async function* eventsOf(body) {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* parser.feed(decoder.decode(value, { stream: true }));
  }
}
