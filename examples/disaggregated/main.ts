/**
 * One prompt, computed by a prefill worker and answered by a decode worker; then the same one with a single worker. With the
 * real model (SmolLM2-135M-Instruct); ends by itself.
 *
 *     npm run example examples/disaggregated
 *     npm run example examples/disaggregated -- --kv-transfer tcp
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    "kv-transfer": { type: "string", default: "auto" },
    "max-tokens": { type: "string", default: "24" },
  },
});

const question = `${"The harbour master writes down every ship that comes in from the sea. ".repeat(30)}What does he write down?`;

console.log("With a prefill and a decode worker:");
const divided = await answerOf(
  "--prefill-workers=1",
  "--decode-workers=1",
  `--kv-transfer=${values["kv-transfer"]}`,
);
console.log("\nWith one worker for both:");
const alone = await answerOf("--workers=1");
console.log(divided === alone ? "\nBoth answers are the same." : "\nThe answers differ!");
process.exitCode = divided === alone ? 0 : 1;

/** Starts Stator with these flags, asks it the question, and stops it. */
async function answerOf(...flags: string[]): Promise<string> {
  const cli = join(import.meta.dirname, "..", "..", "cli", "main.ts");
  const common = ["--port=0", "--config=none", "--log-format=json", "--log-level=debug"];
  const stator = spawn(process.execPath, [cli, "up", ...common, "--remote-prefill-min-tokens=64", ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stop = () => stator.kill("SIGTERM");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  const exited = once(stator, "exit");
  try {
    return await ask(await started(stator));
  } finally {
    stop();
    await exited;
  }
}

/** Asks, and prints who did what. */
async function ask(url: string): Promise<string> {
  const begun = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true" },
    body: JSON.stringify({
      model: "default",
      messages: [{ role: "user", content: question }],
      max_tokens: Number(values["max-tokens"]),
      temperature: 0,
    }),
  });
  if (!response.ok) throw new Error(await response.text());
  const { choices, usage } = (await response.json()) as {
    choices: [{ message: { content: string } }];
    usage: { prompt_tokens: number };
  };
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  const answered = response.headers.get("x-stator-worker");
  const prefilled = response.headers.get("x-stator-prefill-worker") ?? answered;
  console.log(
    `  ${usage.prompt_tokens} prompt tokens computed by ${prefilled}, answered by ${answered}, in ${seconds} s:`,
  );
  console.log(`  ${choices[0].message.content}`);
  return choices[0].message.content;
}

/** Prints what the workers log of transfers. @returns the gateway's address, once both workers are ready */
async function started(process: ChildProcess): Promise<string> {
  const ready = Promise.withResolvers<string>();
  process.once("exit", (code) => ready.reject(new Error(`stator up ended with ${code}.`)));
  createInterface({ input: process.stderr! }).on("line", (line) => {
    const { name, level, message, tokens, bytes, ms, kind, url, choice } = parsed(line);
    if (level === undefined || level === "error") console.error(`  ${message ?? line}`);
    if (message?.startsWith("Stator serves") && url !== undefined) ready.resolve(url);
    if (message === "KV transfer is ready") console.log(`  [${name}] moves KV by ${choice}`);
    if (message === "prefilled") console.log(`  [${name}] prefilled ${tokens} tokens in ${ms} ms`);
    if (message === "KV received")
      console.log(
        `  [${name}] received the KV of ${tokens} tokens, ${mebibytes(bytes)}, in ${ms} ms over ${kind}`,
      );
  });
  return ready.promise;
}

function mebibytes(bytes: string | undefined): string {
  return `${(Number(bytes) / 2 ** 20).toFixed(1)} MiB`;
}

function parsed(line: string): Record<string, string | undefined> {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
