// A conversation as it stands on the page. Whatever a model says becomes text, never markup.

/** <name class="…">text</name> with children. */
export function element(name, className = "", ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** One model's side of the conversation: a list of turns under the model's name. */
export class Pane {
  messages = []; // as they are sent
  model = null;
  #list = element("ol", "turns");
  #title = element("h3", "pane-title");
  root = element("section", "pane", this.#title, this.#list);

  name(model) {
    this.model = model;
    this.#title.textContent = model.label;
    this.#title.title = model.name;
  }

  get empty() {
    return !this.messages.length;
  }

  clear() {
    this.messages = [];
    this.#list.replaceChildren();
  }

  showUser(message) {
    const turn = this.#turn("turn-user", "You");
    for (const block of blocksOf(message.content)) turn.append(drawn(block));
    return turn;
  }

  /** A turn that an answer fills while it streams. */
  showAnswer(who = this.model.label) {
    return new AnswerTurn(this.#turn("turn-answer", who));
  }

  /** The messages of a saved prompt, or those of another model, whose answers bear its name. */
  restore(messages, who = "Answer") {
    for (const message of messages) {
      if (message.role === "user") this.showUser(message);
      else this.showAnswer(who).restore(message.content, message === messages.at(-1));
    }
    this.messages = [...messages];
  }

  fillResults(results) {
    for (const box of this.root.querySelectorAll("[data-call]")) box.value = results[box.dataset.call] ?? "";
  }

  /** [{id, content}] of the calls that wait for a result, as typed so far. */
  results() {
    const typed = this.#list.lastElementChild?.querySelectorAll("[data-call]") ?? [];
    return [...typed].map((box) => ({ id: box.dataset.call, content: box.value }));
  }

  closeResults() {
    for (const box of this.#list.querySelectorAll("[data-call]")) {
      box.readOnly = true;
      box.dataset.answered = box.dataset.call;
      delete box.dataset.call;
    }
  }

  /** As if the last message had not been sent: it was refused. */
  takeBack() {
    this.messages.pop();
    this.#list.lastElementChild.remove(); // the answer
    this.#list.lastElementChild.remove();
    for (const box of this.#list.lastElementChild?.querySelectorAll("[data-answered]") ?? []) {
      box.readOnly = false;
      box.dataset.call = box.dataset.answered;
      delete box.dataset.answered;
    }
  }

  #turn(className, who) {
    const turn = element("li", `turn ${className}`, element("p", "turn-who", who));
    this.#list.append(turn);
    return turn;
  }
}

class AnswerTurn {
  #root;
  #blocks = [];

  constructor(root) {
    this.#root = root;
    this.#waiting = element("p", "turn-waiting muted", "Waiting for the first words…");
    root.append(this.#waiting);
  }

  #waiting;

  /** False once another conversation began. */
  get shown() {
    return this.#root.isConnected;
  }

  /** A block that begins or has ended. */
  block(index, block) {
    this.#waiting.remove();
    const made = drawn(block);
    if (this.#blocks[index]) this.#blocks[index].replaceWith(made);
    else this.#root.append(made);
    this.#blocks[index] = made;
  }

  append(index, text) {
    const place = this.#blocks[index]?.querySelector("[data-text]") ?? this.#blocks[index];
    if (place?.lastChild?.nodeType === Node.TEXT_NODE) place.lastChild.appendData(text);
    else place?.append(text);
  }

  restore(content, last) {
    this.#waiting.remove();
    for (const block of blocksOf(content)) this.#root.append(drawn(block));
    if (last) this.ask(blocksOf(content).filter((block) => block.type === "tool_use"));
  }

  /** A text box for each call; the next message takes along what is typed there. */
  ask(calls) {
    for (const call of calls) {
      const box = element("textarea", "input playground-json");
      box.rows = 2;
      box.id = `result-${call.id}`;
      box.dataset.call = call.id;
      const label = element("label", "field-label", `Result of ${call.name}`);
      label.htmlFor = box.id;
      this.#root.append(element("div", "field turn-result", label, box));
    }
  }

  /** The figures below: [{text, title}]. Returns the places, to be filled later. */
  figures(told) {
    const places = told.map(({ text, title }) => {
      const place = element("span", "", text);
      if (title) place.title = title;
      return place;
    });
    this.#root.append(element("p", "turn-figures", ...places));
    return places;
  }

  fail(box) {
    this.#waiting.remove();
    this.#root.append(box);
  }

  note(text) {
    this.#waiting.remove();
    this.#root.append(element("p", "turn-note muted", text));
  }
}

/** Text blocks of a message, whichever way it is written. */
export function blocksOf(content) {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function drawn(block) {
  switch (block.type) {
    case "text":
      return element("div", "turn-text", block.text);
    case "thinking":
      return folded("Thinking", block.thinking);
    case "redacted_thinking":
      return element("p", "turn-note muted", "Thinking that the provider keeps to itself.");
    case "tool_use":
    case "server_tool_use":
      return called(block);
    case "tool_result":
      return folded("Result", typeof block.content === "string" ? block.content : pretty(block.content));
    case "image":
      return pictured(block.source);
    default:
      return folded(block.type.replaceAll("_", " "), pretty(block));
  }
}

function folded(title, text) {
  const place = element("pre", "turn-pre", text ?? "");
  place.dataset.text = "";
  return element("details", "turn-fold", element("summary", "", title), place);
}

function called(block) {
  const empty = !block.input || !Object.keys(block.input).length;
  const place = element("pre", "turn-pre", empty ? "" : pretty(block.input));
  place.dataset.text = "";
  return element("div", "turn-call", element("p", "", "Calls ", element("code", "", block.name)), place);
}

function pictured(source) {
  if (source.type !== "base64") return element("p", "turn-note muted", "An image.");
  const picture = element("img", "turn-image");
  picture.src = `data:${source.media_type};base64,${source.data}`;
  picture.alt = "The image that was sent";
  return picture;
}

const pretty = (value) => JSON.stringify(value, null, 2);

/** What went wrong, in words, with the id that finds it in the log. */
export function problemBox({ message, request_id: requestId, signIn }) {
  const words = element("div", "", element("p", "", message));
  if (signIn) {
    const link = element("a", "link", "Sign in");
    link.href = signIn;
    words.append(element("p", "", link));
  }
  if (requestId) words.append(element("p", "turn-id", "Request id: ", element("code", "", requestId)));
  const box = element("div", "alert alert-bad", words);
  box.setAttribute("role", "alert");
  return box;
}
