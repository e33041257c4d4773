// Talks to a gateway with the official TypeScript SDK and prints what it saw as one line of JSON.
// Environment: ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, MODEL.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const model = process.env.MODEL;
const client = new Anthropic({ maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const weather = {
  name: "get_weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

async function message() {
  const { data, request_id } = await client.messages.create({ model, max_tokens: 200, messages }).withResponse();
  return { text: data.content[0].text, stop_reason: data.stop_reason, usage: data.usage, request_id };
}

async function rawStream() {
  const types = [];
  for await (const event of await client.messages.create({ model, max_tokens: 200, messages, stream: true })) {
    types.push(event.type);
  }
  return types;
}

async function streamHelper() {
  let parts = 0;
  const stream = client.messages.stream({ model, max_tokens: 200, messages });
  stream.on("text", () => { parts += 1; });
  const final = await stream.finalMessage();
  return { parts, text: final.content[0].text, output_tokens: final.usage.output_tokens };
}

async function tools() {
  const first = await client.messages.create({
    model, max_tokens: 300, messages, tools: [weather], tool_choice: { type: "tool", name: "get_weather" },
  });
  const call = first.content.find((block) => block.type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "21 degrees" };
  const second = await client.messages.create({
    model, max_tokens: 300, tools: [weather],
    messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: [result] }],
  });
  return { stop_reason: first.stop_reason, name: call.name, input: call.input, answer: second.content[0].text };
}

async function thinking() {
  const stream = client.messages.stream({ model, max_tokens: 3000, messages, thinking: { type: "adaptive" } });
  const final = await stream.finalMessage();
  return { types: final.content.map((block) => block.type), signed: final.content[0].signature.length > 0 };
}

async function toolRunner() {
  const called = [];
  const lookUp = betaTool({
    name: "look_up",
    description: "Looks a word up",
    inputSchema: { type: "object", properties: { word: { type: "string" } }, required: ["word"] },
    run: ({ word }) => { called.push(word); return `${word} means something`; },
  });
  const asked = [{ role: "user", content: "Please use look_up now" }];
  const final = await client.beta.messages.toolRunner({ model, max_tokens: 300, messages: asked, tools: [lookUp] });
  return { called, answer: final.content[0].text };
}

async function batch() {
  const requests = ["one", "two"].map((custom_id) => ({ custom_id, params: { model, max_tokens: 50, messages } }));
  const made = await client.messages.batches.create({ requests });
  return { id: made.id, status: made.processing_status, counts: made.request_counts, results_url: made.results_url };
}

async function failure(what) {
  try {
    await what();
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, type: error.error?.error?.type, request_id: error.requestID };
  }
}

const ids = [];
for await (const one of client.models.list({ limit: 2 })) ids.push(one.id);

console.log(JSON.stringify({
  message: await message(),
  raw_stream: await rawStream(),
  stream_helper: await streamHelper(),
  tools: await tools(),
  tool_runner: await toolRunner(),
  thinking: await thinking(),
  counted: (await client.messages.countTokens({ model, messages })).input_tokens,
  models: ids,
  retrieved: (await client.models.retrieve(model)).id,
  batch: await batch(),
  empty_batch: await failure(() => client.messages.batches.create({ requests: [] })),
  unknown_model: await failure(() => client.messages.create({ model: "claude-from-nowhere", max_tokens: 5, messages })),
  bad_request: await failure(() => client.messages.create({ model, max_tokens: -1, messages })),
  bad_key: await failure(() => new Anthropic({ apiKey: "nonsense", maxRetries: 0 }).messages.create({ model, max_tokens: 5, messages })),
}));
