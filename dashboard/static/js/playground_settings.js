// The fields beside the conversation: what is chosen there, and what the chosen models allow.

import { element } from "./playground_turns.js";
import { toolsOf, variablesIn } from "./playground_request.js";

const byId = (id) => document.getElementById(id);
const TEXTS = ["system", "tools", "thinking", "effort"];

export class Settings {
  models = [];
  #values = {}; // of variables, also of those that are not used just now
  #asked = "";

  /** Puts the models of a workspace into both lists, keeping what was chosen where it is still there. */
  offer(models, first = "") {
    this.models = models;
    for (const id of ["model", "second"]) {
      const chosen = byId(id).value || (id === "model" ? first : "");
      byId(id).replaceChildren(...models.map((model) => new Option(model.name)));
      if (models.some((model) => model.name === chosen)) byId(id).value = chosen;
      else if (id === "second") byId(id).value = models.find((model) => model.name !== byId("model").value)?.name;
    }
    this.fit();
  }

  /** The models that a message goes to: one, or two that are compared. */
  get chosen() {
    const names = [byId("model").value, ...(byId("compare").checked ? [byId("second").value] : [])];
    return names.map((name) => this.models.find((model) => model.name === name)).filter(Boolean);
  }

  /** Shows the fields that one of the chosen models knows. */
  fit() {
    const models = this.chosen;
    const ways = new Set(models.flatMap((model) => model.thinking));
    byId("second-field").hidden = !byId("compare").checked;
    byId("thinking-field").hidden = !ways.size;
    for (const option of byId("thinking").options) option.hidden = option.value !== "off" && !ways.has(option.value);
    if (byId("thinking").selectedOptions[0]?.hidden) byId("thinking").value = [...ways][0] ?? "off";
    byId("budget-field").hidden = byId("thinking").value !== "budget" || !ways.size;
    byId("temperature-field").hidden = !models.some((model) => model.sampling);
    byId("temperature").max = Math.max(1, ...models.map((model) => model.hottest));
    this.#fitEfforts([...new Set(models.flatMap((model) => model.efforts))]);
  }

  #fitEfforts(efforts) {
    const chosen = byId("effort").value;
    byId("effort").replaceChildren(new Option("Default", ""), ...efforts.map((effort) => new Option(effort, effort)));
    byId("effort").value = efforts.includes(chosen) ? chosen : "";
    byId("effort-field").hidden = !efforts.length;
  }

  /** As `requestBody` takes them. */
  get settings() {
    return {
      system: byId("system").value,
      tools: byId("tools").value,
      thinking: byId("thinking").value,
      effort: byId("effort").value,
      budget: byId("budget").valueAsNumber || 1024,
      maxTokens: byId("max-tokens").valueAsNumber || 1,
      temperature: Number.isNaN(byId("temperature").valueAsNumber) ? null : byId("temperature").valueAsNumber,
      cache: byId("cache").checked,
      variables: this.#values,
    };
  }

  /** A field for each variable that these texts use. */
  askFor(...texts) {
    const names = variablesIn(byId("system").value, ...texts);
    byId("variables").hidden = !names.length;
    if (names.join("\n") === this.#asked) return;
    this.#asked = names.join("\n");
    document.querySelector("[data-variables]").replaceChildren(...names.map((name) => this.#field(name)));
  }

  #field(name) {
    const box = element("input", "input");
    box.id = `variable-${name}`;
    box.value = this.#values[name] ?? "";
    box.addEventListener("input", () => (this.#values[name] = box.value));
    const label = element("label", "field-label", name);
    label.htmlFor = box.id;
    return element("div", "field", label, box);
  }

  /** The first variable without a value, or nothing. */
  missing(...texts) {
    return variablesIn(byId("system").value, ...texts).find((name) => !this.#values[name]);
  }

  /** Throws where tools are not JSON, and says so beside them. */
  check() {
    const place = byId("tools-error");
    place.hidden = true;
    try {
      toolsOf(byId("tools").value);
    } catch (problem) {
      place.textContent = problem.message;
      place.hidden = false;
      byId("tools").closest("details").open = true;
      throw problem;
    }
  }

  /** What a saved prompt keeps of the fields. */
  get kept() {
    const numbers = { budget: byId("budget").value, max_tokens: byId("max-tokens").value, temperature: byId("temperature").value };
    return {
      ...Object.fromEntries(TEXTS.map((id) => [id, byId(id).value])),
      ...numbers,
      model: byId("model").value,
      second: byId("compare").checked ? byId("second").value : "",
      cache: byId("cache").checked,
      variables: this.#values,
    };
  }

  /** Returns the name of a model that was kept and is not there any more, or nothing. */
  restore(kept) {
    this.#values = { ...kept.variables };
    this.#asked = "";
    const gone = [this.#choose("model", kept.model), this.#choose("second", kept.second)].find(Boolean);
    byId("compare").checked = Boolean(kept.second);
    byId("cache").checked = Boolean(kept.cache);
    for (const [id, name] of [["budget", "budget"], ["max-tokens", "max_tokens"], ["temperature", "temperature"]]) {
      if (kept[name] !== undefined) byId(id).value = kept[name];
    }
    this.fit(); // efforts are there only once their model is
    for (const id of TEXTS) byId(id).value = kept[id] ?? (id === "thinking" ? "off" : "");
    this.fit();
    return gone;
  }

  #choose(id, name) {
    if (!name) return "";
    if (!this.models.some((model) => model.name === name)) return name;
    byId(id).value = name;
    return "";
  }
}
