/**
 * Asks a running Stator through the official OpenAI SDK and prints the answer as it streams.
 *
 *     npm start                       # in one terminal
 *     npm run example examples/chat.ts  # in another
 */
import OpenAI from "openai";

const openai = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL ?? "http://127.0.0.1:8000/v1",
  apiKey: "none",
});
const messages = [{ role: "user" as const, content: process.argv[2] ?? "What is the capital of France?" }];
const stream = await openai.chat.completions.create({
  model: "default",
  messages,
  temperature: 0,
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
process.stdout.write("\n");
