// Images that go with the next message, as base64, with a button each to leave one out.

import { element } from "./playground_turns.js";

const LARGEST_BYTES = 5 * 1024 * 1024; // of the Messages API
const TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export class Images {
  #chosen = []; // {name, type, data}

  constructor(input, list, changed) {
    this.list = list;
    this.changed = changed;
    input.addEventListener("change", async () => {
      await this.add([...input.files]);
      input.value = "";
    });
  }

  /** Returns words on what could not be taken. */
  async add(files) {
    for (const file of files) {
      const refusal = refusalOf(file);
      if (refusal) this.changed(refusal);
      else this.#chosen.push({ name: file.name, type: file.type, data: await base64(file) });
    }
    this.#draw();
  }

  get all() {
    return [...this.#chosen];
  }

  clear() {
    this.#chosen = [];
    this.#draw();
  }

  put(images) {
    this.#chosen = [...images];
    this.#draw();
  }

  #draw() {
    this.list.hidden = !this.#chosen.length;
    this.list.replaceChildren(...this.#chosen.map((image) => this.#item(image)));
    this.changed("");
  }

  #item(image) {
    const picture = element("img");
    picture.src = `data:${image.type};base64,${image.data}`;
    picture.alt = "";
    const button = element("button", "button button-secondary button-small", "Remove", element("span", "sr-only", ` ${image.name}`));
    button.type = "button";
    button.addEventListener("click", () => this.put(this.#chosen.filter((one) => one !== image)));
    return element("li", "", picture, element("span", "playground-image-name", image.name), button);
  }
}

function refusalOf(file) {
  if (!TYPES.includes(file.type)) return `${file.name} is no PNG, JPEG, GIF or WebP image.`;
  return file.size > LARGEST_BYTES ? `${file.name} is larger than 5 MB.` : "";
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
