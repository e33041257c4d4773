import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  baseURL: "http://127.0.0.1:8000",
  apiKey: "YOUR_API_KEY",
});

const message = await client.messages.create({
  model: "claude-sonnet-5-5",
  max_tokens: 256,
  messages: [{ role: "user", content: "Say hello in five words." }],
});
console.log(message.content);
