// An answer of the Messages API while it streams: its blocks, its usage, how it ended.

export class Answer {
  content = []; // as it goes back with the next message
  usage = {};
  stopReason = "";
  error = null; // {type, message, request_id}
  complete = false;
  #json = []; // the input of tools, in pieces

  /** Takes one event, and says what changed: {kind: "block"|"delta"|"end"|"error"|"", index, text}. */
  take({ data }) {
    let told;
    try {
      told = JSON.parse(data);
    } catch {
      return this.#fail({ type: "api_error", message: "The answer could not be read." });
    }
    switch (told.type) {
      case "message_start":
        this.#use(told.message.usage);
        return { kind: "" };
      case "content_block_start":
        this.content[told.index] = { ...told.content_block };
        this.#json[told.index] = "";
        return { kind: "block", index: told.index };
      case "content_block_delta":
        return this.#delta(told.index, told.delta);
      case "content_block_stop":
        this.#close(told.index);
        return { kind: "block", index: told.index };
      case "message_delta":
        this.stopReason = told.delta?.stop_reason ?? this.stopReason;
        this.#use(told.usage);
        return { kind: "" };
      case "message_stop":
        this.complete = true;
        return { kind: "end" };
      case "error":
        return this.#fail({ ...told.error, request_id: told.request_id });
      default:
        return { kind: "" }; // a ping, or what is newer than this page
    }
  }

  #delta(index, delta) {
    const block = this.content[index];
    switch (delta.type) {
      case "text_delta":
        block.text += delta.text;
        return { kind: "delta", index, text: delta.text };
      case "thinking_delta":
        block.thinking += delta.thinking;
        return { kind: "delta", index, text: delta.thinking };
      case "signature_delta":
        block.signature = (block.signature ?? "") + delta.signature;
        return { kind: "" };
      case "input_json_delta":
        this.#json[index] += delta.partial_json;
        return { kind: "delta", index, text: delta.partial_json };
      case "citations_delta":
        block.citations = [...(block.citations ?? []), delta.citation];
        return { kind: "" };
      default:
        return { kind: "" };
    }
  }

  #close(index) {
    if (!this.#json[index]) return;
    try {
      this.content[index].input = JSON.parse(this.#json[index]);
    } catch {
      this.content[index].input = {}; // cut short by max_tokens
    }
  }

  #use(usage) {
    for (const [name, value] of Object.entries(usage ?? {})) {
      if (value !== null) this.usage[name] = value;
    }
  }

  #fail(error) {
    this.error = error;
    return { kind: "error" };
  }

  /** What may be sent back of it: of a broken answer only its words, since thoughts and calls must be whole. */
  get kept() {
    const there = this.content.filter(Boolean);
    const whole = this.complete ? there : there.filter((block) => block.type === "text");
    return whole.filter((block) => block.type !== "text" || block.text !== "");
  }

  /** The calls that wait for a result. */
  get calls() {
    return this.complete ? this.content.filter((block) => block?.type === "tool_use") : [];
  }
}
