// The Playground: <div data-playground="what it starts with, as JSON">. Each message goes to one model, or to two
// whose conversations stand side by side.

import { Answer } from "./playground_answer.js";
import { Calls, askedIn, costOf, modelsOf } from "./playground_calls.js";
import { codeFor } from "./playground_code.js";
import { Images } from "./playground_images.js";
import { filled, requestBody, userMessage } from "./playground_request.js";
import { Settings } from "./playground_settings.js";
import { Pane, blocksOf, problemBox } from "./playground_turns.js";

const COUNT_AFTER_MS = 600;
const LONGEST_KEPT = 500000; // characters of a saved prompt
const byId = (id) => document.getElementById(id);
const part = (name) => document.querySelector(`[data-${name}]`);

const root = part("playground");
const start = JSON.parse(root.dataset.playground);
const composer = part("composer");
const message = byId("message");
const settings = new Settings();
const images = new Images(byId("images"), part("images"), imagesChanged);
const panes = [new Pane(), new Pane()];
const calls = new Calls({
  token: composer.elements.csrfmiddlewaretoken.value,
  signIn: `${start.sign_in}?next=${encodeURIComponent(location.pathname)}`,
  get workspace() {
    return byId("workspace").value;
  },
});
let sending = null; // what stops the answers under way
let counting = null;
let countTimer = null;
let language = "curl";

// Sending

async function send() {
  if (sending || !ready()) return;
  sending = new AbortController();
  const typed = { text: message.value, images: images.all };
  const shown = open().map((pane) => [pane, ask(pane, typed)]);
  message.value = "";
  images.clear();
  drawState("Answering…");
  if (matchMedia("(hover: hover)").matches) message.focus({ preventScroll: true }); // the button rests meanwhile
  const mine = sending;
  const failures = await Promise.all(shown.map(([pane, turn]) => answer(pane, turn, mine.signal)));
  if (sending !== mine) return; // another conversation began
  if (failures.every(Boolean)) takeBack(typed, shown.map(([pane]) => pane), failures);
  sending = null;
  drawState(failures.some(Boolean) ? "There was a problem." : "The answer is there.");
  draftChanged();
}

/** Whether there is something to send, and all of it is right; else it says what is missing. */
function ready() {
  const missing = settings.missing(message.value);
  const results = open().some((pane) => pane.results().length);
  showProblem();
  try {
    settings.check();
  } catch {
    return false;
  }
  if (!settings.chosen.length) return refuse("No model may be used in this workspace.");
  if (missing) return refuse(`The variable ${missing} has no value.`, byId(`variable-${missing}`));
  if (!message.value.trim() && !images.all.length && !results) return refuse("Write a message first.", message);
  return true;
}

function refuse(words, place) {
  showProblem({ message: words });
  place?.focus();
  return false;
}

/** The user's turn in this pane: what was typed, with the results of its calls. */
function ask(pane, { text, images: chosen }) {
  const results = pane.results();
  const said = userMessage(filled(text, settings.settings.variables), chosen, results);
  pane.closeResults();
  pane.messages.push(said);
  pane.showUser(said);
  return pane.showAnswer();
}

/** Streams one answer into its turn. Returns the problem where nothing came of it. */
async function answer(pane, turn, signal) {
  const told = new Answer();
  const began = performance.now();
  const timing = { first: null };
  let requestId = "";
  let problem = null;
  try {
    const body = requestBody(pane.model, settings.settings, pane.messages);
    await calls.stream(body, signal, (event, id) => {
      requestId = id;
      draw(turn, told, told.take(event), () => (timing.first ??= performance.now() - began));
    });
    problem = told.error ?? (told.complete ? null : { message: "The answer ended before it was complete." });
  } catch (thrown) {
    problem = thrown;
  }
  if (turn.shown) close(pane, turn, told, problem, { requestId, first: timing.first });
  return told.kept.length || problem?.name === "AbortError" ? null : problem;
}

function draw(turn, told, change, begun) {
  const atEnd = nearEnd();
  if (change.kind === "block") turn.block(change.index, told.content[change.index]);
  if (change.kind === "delta") {
    begun();
    turn.append(change.index, change.text);
  }
  if (atEnd) message.scrollIntoView({ block: "nearest" });
}

/** Below the answer: what went wrong, what it used, and what waits for a result. */
function close(pane, turn, told, problem, { requestId, first }) {
  if (told.kept.length) pane.messages.push({ role: "assistant", content: told.kept });
  if (problem?.name === "AbortError") turn.note("Stopped. What had been written is charged.");
  else if (problem) turn.fail(problemBox({ ...problem, message: problem.message ?? String(problem) }));
  if (requestId) showFigures(turn, told, first, requestId);
  turn.ask(told.calls);
}

function showFigures(turn, told, first, requestId) {
  const { usage } = told;
  const figures = [
    { text: `${number(usage.input_tokens)} input tokens` },
    { text: `${number(usage.output_tokens)} output tokens` },
  ];
  if (usage.cache_read_input_tokens) figures.push({ text: `${number(usage.cache_read_input_tokens)} read from cache` });
  if (usage.cache_creation_input_tokens) figures.push({ text: `${number(usage.cache_creation_input_tokens)} written to cache` });
  if (first !== null) figures.push({ text: `${seconds(first)} to first token`, title: "From Send, as this page saw it" });
  if (told.stopReason && told.stopReason !== "end_turn") figures.push({ text: `stopped by ${told.stopReason}` });
  figures.push({ text: "cost …", title: requestId });
  const cost = turn.figures(figures).at(-1);
  costOf(root.dataset.answersAddress, requestId).then((known) => {
    cost.textContent = known ? known.cost : "cost not known yet";
    cost.title = known ? `${known.exact}, request ${requestId}` : `Request ${requestId}`;
  });
}

/** Nothing was answered: the message goes back to where it was typed, and the problems stand above it. */
function takeBack(typed, refused, failures) {
  for (const pane of refused) pane.takeBack();
  message.value ||= typed.text;
  images.put([...typed.images, ...images.all]);
  const twice = failures.length > 1;
  showProblem(...failures.map((one, place) => (twice ? { ...one, message: `${refused[place].model.label}: ${one.message}` } : one)));
}

const number = (value) => (value ?? 0).toLocaleString("en-US");
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(2)} s`;

// The page around it

function open() {
  return panes.slice(0, settings.chosen.length);
}

function modelsChanged() {
  settings.fit();
  settings.chosen.forEach((model, place) => panes[place].name(model));
  if (settings.chosen.length === 2 && panes[1].empty) panes[1].restore(wordsOf(panes[0].messages), panes[0].model.label);
  part("panes").replaceChildren(...open().map((pane) => pane.root));
  part("panes").classList.toggle("playground-two", open().length === 2);
  draftChanged();
}

/** What another model can be told of a conversation: thoughts and calls are its own. */
function wordsOf(messages) {
  const said = messages.map(({ role, content }) => ({
    role,
    content: blocksOf(content).filter((block) => block.type === "text" || block.type === "image"),
  }));
  return said.filter(({ content }) => content.length);
}

function drawState(words) {
  part("status").textContent = words;
  part("stop").hidden = !sending;
  composer.querySelector("[type=submit]").disabled = Boolean(sending);
  part("samples").hidden = open().some((pane) => !pane.empty) || Boolean(sending);
}

function showProblem(...problems) {
  part("problem").hidden = !problems.length;
  part("problem").replaceChildren(...problems.map(problemBox));
}

function imagesChanged(words) {
  if (words) showProblem({ message: words });
  else draftChanged();
}

const nearEnd = () => innerHeight + scrollY > document.documentElement.scrollHeight - 160;

/** Variables and the count of tokens follow what is typed. */
function draftChanged() {
  settings.askFor(message.value);
  clearTimeout(countTimer);
  counting?.abort();
  part("count").textContent = "";
  if (message.value.trim() && settings.chosen.length) countTimer = setTimeout(count, COUNT_AFTER_MS);
}

async function count() {
  counting = new AbortController();
  const body = draft();
  const tokens = body ? await calls.count(body, counting.signal) : null;
  part("count").textContent = tokens === null ? "" : `About ${number(tokens)} tokens to send. `;
}

/** The request that Send would make now, for the first model; null where it is not right. */
function draft() {
  const [model] = settings.chosen;
  const { variables } = settings.settings;
  const more = message.value || images.all.length ? [userMessage(filled(message.value, variables), images.all, panes[0].results())] : [];
  try {
    return model && requestBody(model, settings.settings, [...panes[0].messages, ...more]);
  } catch {
    return null;
  }
}

function showCode() {
  const body = draft();
  byId("code").textContent = body ? codeFor(language, whole(body), start.address) : "There is something wrong with the tools.";
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

/** As it was sent, if nothing new is typed: without the answer; and never empty. */
function whole(body) {
  const last = body.messages.findLastIndex(({ role }) => role === "user");
  return { ...body, messages: last < 0 ? [{ role: "user", content: "Hello" }] : body.messages.slice(0, last + 1) };
}

function clear() {
  sending?.abort();
  sending = null;
  for (const pane of panes) pane.clear();
  showProblem();
  drawState("");
  draftChanged();
}

/** A saved prompt, a sample, or what a logged request asked. */
function begin(kept) {
  clear();
  const gone = settings.restore({ ...settings.kept, system: "", tools: "", ...kept });
  message.value = kept.message ?? "";
  modelsChanged();
  for (const pane of open()) {
    pane.restore(kept.messages ?? []);
    pane.fillResults(kept.results ?? {});
  }
  images.put(kept.images ?? []);
  if (gone) showProblem({ message: `${gone} may not be used in this workspace; another model is chosen.` });
  drawState("");
}

/** Everything but images, whose place an empty conversation would not remember. */
function kept() {
  const said = panes[0].messages.map(({ role, content }) => ({
    role,
    content: typeof content === "string" ? content : content.filter((block) => block.type !== "image"),
  }));
  return { ...settings.kept, message: message.value, messages: said.filter(({ content }) => content.length) };
}

async function load(button) {
  try {
    begin(await askedIn(button.dataset.load, calls.sender.token));
    button.remove();
  } catch (problem) {
    showProblem({ message: problem.message });
  }
}

async function workspaceChanged() {
  try {
    settings.offer(await modelsOf(root.dataset.modelsAddress, byId("workspace").value));
    modelsChanged();
  } catch (problem) {
    showProblem({ message: problem.message });
  }
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
message.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) composer.requestSubmit();
});
message.addEventListener("input", draftChanged);
message.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length) images.add(files);
});
part("stop").addEventListener("click", () => sending?.abort());
part("clear").addEventListener("click", clear);
byId("workspace").addEventListener("change", workspaceChanged);
for (const id of ["model", "second", "compare"]) byId(id).addEventListener("change", modelsChanged);
for (const id of ["system", "tools", "thinking", "effort", "budget", "cache"]) byId(id).addEventListener("change", () => {
  settings.fit();
  draftChanged();
});
byId("system").addEventListener("input", draftChanged);
byId("code-dialog").addEventListener("beforetoggle", showCode);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    language = button.dataset.language;
    showCode();
  });
}
for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", () => {
    begin(JSON.parse(button.dataset.sample));
    message.focus();
  });
}
part("save").addEventListener("submit", (event) => {
  const content = JSON.stringify(kept());
  event.target.elements.content.value = content;
  if (content.length <= LONGEST_KEPT) return;
  event.preventDefault(); // it would be refused, and what is on the page lost
  showProblem({ message: "This conversation is too long to be saved." });
});
for (const fold of document.querySelectorAll("[data-fold]")) fold.open = matchMedia("(width >= 64rem)").matches;
settings.offer(start.models, start.model);
modelsChanged();
if (start.content) begin(start.content);
if (start.name) part("save").elements.name.value = start.name;
drawState("");

// Who comes from the log wants it at once; a link from anywhere else must not have it read, which is written down.
const loader = part("load");
loader?.addEventListener("click", () => load(loader));
if (loader && document.referrer.startsWith(`${location.origin}/`)) load(loader);
