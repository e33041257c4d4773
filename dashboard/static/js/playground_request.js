// From what stands on the page to the body of a request. Nothing here touches the page.

const VARIABLE = /\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}/g;
const CACHED = { type: "ephemeral" };

/** Names of the variables in these texts, in the order of their first use. */
export function variablesIn(...texts) {
  const names = texts.flatMap((text) => [...text.matchAll(VARIABLE)].map((match) => match[1]));
  return [...new Set(names)];
}

export function filled(text, values) {
  return text.replace(VARIABLE, (whole, name) => (Object.hasOwn(values, name) ? values[name] : whole));
}

/** A user's message: results of tools, images, then words; words alone stay a plain string. */
export function userMessage(text, images = [], results = []) {
  const blocks = [
    ...results.map(({ id, content }) => ({ type: "tool_result", tool_use_id: id, content })),
    ...images.map(({ type, data }) => ({ type: "image", source: { type: "base64", media_type: type, data } })),
  ];
  if (!blocks.length) return { role: "user", content: text };
  return { role: "user", content: text ? [...blocks, { type: "text", text }] : blocks };
}

/** The tools as they were typed. Throws an Error in words for a person. */
export function toolsOf(text) {
  if (!text.trim()) return [];
  let tools;
  try {
    tools = JSON.parse(text);
  } catch (problem) {
    throw new Error(`Tools: this is not JSON (${problem.message})`);
  }
  if (!Array.isArray(tools)) throw new Error("Tools: expected a list in brackets, [ … ]");
  return tools;
}

/** The body for one model: `model` is what the server tells of it, `settings` what was chosen. */
export function requestBody(model, settings, messages) {
  const body = { model: model.name, max_tokens: settings.maxTokens };
  const system = filled(settings.system, settings.variables);
  const tools = toolsOf(settings.tools);
  if (system.trim()) body.system = settings.cache ? [{ type: "text", text: system, cache_control: CACHED }] : system;
  if (tools.length) body.tools = settings.cache ? withCachedLast(tools) : tools;
  if (settings.temperature !== null && model.sampling) body.temperature = settings.temperature;
  const thinking = thinkingOf(model, settings);
  if (thinking) body.thinking = thinking;
  if (model.efforts.includes(settings.effort)) body.output_config = { effort: settings.effort };
  body.messages = settings.cache ? withCachedEnd(messages) : messages;
  return body;
}

/** As near to what was chosen as the model has it; nothing where it thinks as it likes, or not at all. */
function thinkingOf(model, { thinking, budget }) {
  if (thinking === "off" || !model.thinking.length) return null;
  const way = model.thinking.includes(thinking) ? thinking : model.thinking[0];
  if (way === "budget") return { type: "enabled", budget_tokens: budget };
  return model.hides_thinking ? { type: "adaptive", display: "summarized" } : { type: "adaptive" };
}

function withCachedLast(blocks) {
  return blocks.map((block, place) => (place === blocks.length - 1 ? { ...block, cache_control: CACHED } : block));
}

/** A mark at the end of the last message of the user's: all before it is cached. */
function withCachedEnd(messages) {
  const last = messages.findLastIndex((message) => message.role === "user");
  return messages.map((message, place) => (place === last ? { ...message, content: marked(message.content) } : message));
}

function marked(content) {
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : content;
  return blocks.length && content ? withCachedLast(blocks) : content;
}
