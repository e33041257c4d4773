// The calls that the page makes: to the gateway, in the name of who is signed in. There is no key here.

import { eventsOf } from "./playground_stream.js";

const VERSION = "2023-06-01";
const COST_AFTER_MS = [400, 800, 1500, 3000, 6000];

/** `sender` tells token, workspace and where to sign in. */
export class Calls {
  constructor(sender) {
    this.sender = sender;
  }

  /** Calls `take` with each event. Throws a problem: {message, request_id}; or an AbortError. */
  async stream(body, signal, take) {
    const response = await this.#post("/playground/messages", { ...body, stream: true }, signal);
    const requestId = response.headers.get("request-id");
    try {
      for await (const event of eventsOf(response.body)) take(event, requestId);
    } catch (problem) {
      if (problem.name === "AbortError") throw problem;
      throw { message: "The connection was lost before the answer was complete.", request_id: requestId };
    }
    return requestId;
  }

  /** Input tokens of a request that is not sent, or null where nobody can say. */
  async count({ model, system, messages, tools, thinking }, signal) {
    try {
      const body = { model, system, messages, tools, thinking };
      const response = await this.#post("/playground/count_tokens", body, signal);
      return (await response.json()).input_tokens ?? null;
    } catch {
      return null;
    }
  }

  async #post(address, body, signal) {
    const headers = {
      "content-type": "application/json",
      "anthropic-version": VERSION,
      "anthropic-workspace-id": this.sender.workspace,
      "x-csrftoken": this.sender.token,
    };
    let response;
    try {
      response = await fetch(address, { method: "POST", headers, body: JSON.stringify(body), signal });
    } catch (problem) {
      if (problem.name === "AbortError") throw problem;
      throw { message: "The gateway did not answer. Are you online?" };
    }
    if (!response.ok) throw await this.#problem(response);
    return response;
  }

  async #problem(response) {
    const told = await response.json().catch(() => ({}));
    const wait = response.headers.get("retry-after");
    const message = told.error?.message ?? `The gateway answered ${response.status}.`;
    return {
      message: wait ? `${message} Try again in ${wait} seconds.` : message,
      request_id: told.request_id ?? response.headers.get("request-id"),
      signIn: response.status === 401 ? this.sender.signIn : "",
    };
  }
}

/** What a logged request asked. Throws an Error in words. */
export async function askedIn(address, token) {
  const response = await fetch(address, { method: "POST", headers: { "x-csrftoken": token } });
  if (!response.ok) throw new Error("What this request asked cannot be read any more.");
  return (await response.json()).content;
}

/** {cost, exact} once the ledger has it, or null. */
export async function costOf(address, requestId) {
  for (const wait of COST_AFTER_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const response = await fetch(address.replace("REQUEST", encodeURIComponent(requestId))).catch(() => null);
    const told = response?.ok ? await response.json().catch(() => ({})) : {};
    if (told.cost) return told;
  }
  return null;
}

export async function modelsOf(address, workspace) {
  const response = await fetch(`${address}?workspace=${encodeURIComponent(workspace)}`);
  if (!response.ok) throw new Error(`The models could not be read (${response.status}).`);
  return (await response.json()).models;
}
