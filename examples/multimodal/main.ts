/**
 * An image, a sound or a video behind the gateway, and who encodes it, computes the prompt and answers. It ends by itself.
 *
 *     npm run example examples/multimodal -- image                # two engines that do everything
 *     npm run example examples/multimodal -- image --separated    # an encode, a prefill and a decode engine
 *     npm run example examples/multimodal -- audio --separated
 *     npm run example examples/multimodal -- video --separated
 *     npm run example examples/multimodal -- processor            # a backend of your own: samples frames, resamples sound
 *     npm run example examples/multimodal -- processor --videos "$(npm run -s video)"     # the same, of an MP4 file too
 *
 * The engines are stand-ins that speak vLLM's protocols, so that no GPU is needed: their model sees and hears nothing, and
 * answers with made-up words. docs/multimodal.md has the commands of real ones.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openVideoFrames } from "./decode-video.ts";
import { Processes } from "./processes.ts";
import { startProcessor } from "./processor.ts";
import { KINDS, type Kind, questionsOf } from "./questions.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { separated: { type: "boolean", default: false }, videos: { type: "string" } },
});
const kind = KINDS.find((each) => each === (positionals[0] ?? "image"));
if (kind === undefined) {
  console.error(`There is no '${positionals[0]}', only ${KINDS.join(", ")}.`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "stator-multimodal-"));
const processes = new Processes();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => processes.stop());
let gateway = "";
const videos = values.videos === undefined ? undefined : openVideoFrames(values.videos);
const processor =
  kind === "processor"
    ? await startProcessor({
        name: "sampler",
        model: "tiny",
        upstream: () => gateway,
        log: (message) => console.log(`  [processor] ${message}`),
        videos,
      })
    : undefined;
try {
  gateway = await processes.gateway([
    ...(values.separated ? await separated() : await aggregated()),
    ...(processor === undefined ? [] : [`--engines=${processor.url}`]),
  ]);
  await ask(kind);
} finally {
  await processes.stop();
  await processor?.close();
  rmSync(folder, { recursive: true });
}

/** @returns the gateway's arguments for two engines that do everything */
async function aggregated(): Promise<string[]> {
  return Promise.all(["engine-1", "engine-2"].map((name) => processes.engine(name, ["--media"])));
}

/** @returns the gateway's arguments for one engine of each role */
async function separated(): Promise<string[]> {
  const roles = ["encode", "prefill", "decode"];
  const started = roles.map(async (role) => {
    const url = await processes.engine(role, ["--media", `--encoder-folder=${folder}`, `--role=${role}`]);
    return `--${role}=${url}`;
  });
  return [...(await Promise.all(started)), "--remote-prefill-min-tokens=16"];
}

/** Asks twice about the same media, and once about others, and prints the answers. */
async function ask(what: Kind): Promise<void> {
  const question = { type: "text", text: `What is in this? ${"Describe all that you notice. ".repeat(8)}` };
  for (const [title, parts] of await questionsOf(what, videos)) {
    console.log(`\n${title}:`);
    const response = await fetch(`${gateway}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true" },
      body: JSON.stringify({
        model: what === "processor" ? "sampler" : "tiny",
        messages: [{ role: "user", content: [...parts, question] }],
        max_tokens: 12,
        ...(what === "processor" && { media_io_kwargs: { video: { fps: 1, num_frames: 4 } } }),
      }),
    });
    if (!response.ok) throw new Error(await response.text());
    const { choices, usage } = (await response.json()) as {
      choices: [{ message: { content: string } }];
      usage: { prompt_tokens: number };
    };
    console.log(`  answer to ${usage.prompt_tokens} prompt tokens: ${choices[0].message.content}`);
  }
}
