// The request on the page as code: [label, text] for each language. Keys are never part of it.

const KEY = "YOUR_API_KEY";
const SHOWN_OF_DATA = 24; // of an image's base64; whole it would bury everything else

export function codeFor(language, body, address) {
  return WRITERS[language](shortened(body), address);
}

const WRITERS = {
  curl: inCurl,
  python: inPython,
  typescript: inTypeScript,
  json: (body) => json(body),
  "claude-code": inClaudeCode,
};

function inCurl(body, address) {
  return [
    `curl ${quoted(`${address}/v1/messages`)} \\`,
    `  --header "x-api-key: ${KEY}" \\`,
    '  --header "anthropic-version: 2023-06-01" \\',
    '  --header "content-type: application/json" \\',
    "  --data @- <<'JSON'",
    json(body),
    "JSON",
  ].join("\n");
}

function inPython(body, address) {
  const fields = Object.entries(body).map(([name, value]) => `    ${name}=${python(value, "    ")},`);
  return [
    "from anthropic import Anthropic",
    "",
    `client = Anthropic(base_url=${JSON.stringify(address)}, api_key="${KEY}")`,
    "message = client.messages.create(",
    ...fields,
    ")",
    "print(message.content)",
  ].join("\n");
}

function inTypeScript(body, address) {
  return [
    'import Anthropic from "@anthropic-ai/sdk";',
    "",
    `const client = new Anthropic({ baseURL: ${JSON.stringify(address)}, apiKey: "${KEY}" });`,
    `const message = await client.messages.create(${json(body)});`,
    "console.log(message.content);",
  ].join("\n");
}

/** One question: Claude Code has tools and a system prompt of its own. */
function inClaudeCode(body, address) {
  const system = words(body.system ?? "");
  const asked = words(body.messages.findLast((message) => message.role === "user")?.content ?? "");
  return [
    `export ANTHROPIC_BASE_URL=${quoted(address)}`,
    `export ANTHROPIC_AUTH_TOKEN=${KEY}`,
    "unset ANTHROPIC_API_KEY",
    `claude --model ${quoted(body.model)} \\`,
    ...(system ? [`  --append-system-prompt ${quoted(system)} \\`] : []),
    `  --print ${quoted(asked)}`,
  ].join("\n");
}

const json = (value) => JSON.stringify(value, null, 2);

function python(value, indent) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${indent}    `;
  const list = Array.isArray(value);
  const items = list
    ? value.map((item) => deeper + python(item, deeper))
    : Object.entries(value).map(([name, item]) => `${deeper}${JSON.stringify(name)}: ${python(item, deeper)}`);
  const [open, close] = list ? "[]" : "{}";
  return items.length ? `${open}\n${items.join(",\n")},\n${indent}${close}` : open + close;
}

/** For a shell: nothing within is read. */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function words(content) {
  if (typeof content === "string") return content;
  return content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
}

function shortened(value) {
  if (Array.isArray(value)) return value.map(shortened);
  if (value === null || typeof value !== "object") return value;
  if (value.type === "base64" && typeof value.data === "string") {
    return { ...value, data: `${value.data.slice(0, SHOWN_OF_DATA)}… the rest of the image` };
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shortened(item)]));
}
