import { loadMediaBinding, type MediaContext } from "./binding.ts";
import type { FromProcess, MediaQuestion, ToProcess } from "./messages.ts";

// The process that computes prompts with media; `media-process.ts` starts it.

/** Most tokens in one step of llama.cpp. */
const BATCH_SIZE = 512;

let context: MediaContext | undefined;
let contextLength = 0;
let isStopped = false;

process.on("message", (message: ToProcess) => {
  if (message.kind === "open") open(message);
  else if (message.kind === "ask") void ask(message);
  else {
    isStopped = true;
    context?.stopCompletion();
  }
});
process.on("disconnect", () => process.exit());

const send = (message: FromProcess) => void process.send?.(message);

function open(options: Extract<ToProcess, { kind: "open" }>): void {
  contextLength = options.contextLength;
  try {
    const { LlamaContext } = loadMediaBinding(options.binding);
    context = new LlamaContext({
      model: options.modelPath,
      n_ctx: contextLength,
      n_batch: BATCH_SIZE,
      n_threads: options.threads,
      n_gpu_layers: 0,
      n_parallel: 1,
      use_mmap: true,
      no_extra_bufts: true,
    });
    if (!context.initMultimodal({ path: options.projectorPath, use_gpu: false })) throw new Error(UNUSABLE);
    send({ kind: "ready", ...context.getMultimodalSupport() });
  } catch (error) {
    send({ kind: "unready", message: messageOf(error) });
  }
}

const UNUSABLE = "it is incomplete, no projector that llama.cpp knows, or that of another model";

async function ask({ prompt, media, maxTokens, options }: MediaQuestion): Promise<void> {
  if (context === undefined) return;
  isStopped = false;
  let promptTokens: number;
  try {
    promptTokens = (await context.tokenize(prompt, [...media])).tokens.length;
  } catch {
    return send({ kind: "refused", message: "One of the media cannot be decoded: its content is damaged." });
  }
  // The binding never answers a prompt that is too long, nor any other after it.
  if (promptTokens >= contextLength) {
    const message = `The prompt has ${promptTokens} tokens with its media; this model accepts 1 to ${contextLength - 1}.`;
    return send({ kind: "refused", message });
  }
  send({ kind: "begun", promptTokens });
  if (maxTokens === 0 || isStopped) return send({ kind: "done", finish: "length" });
  try {
    // What is left of a prompt would change the answer in its last digits, and tell one client what another has sent.
    context.clearCache(true);
    await complete(context, prompt, [...media], Math.min(maxTokens, contextLength - promptTokens), options);
  } catch (error) {
    send({ kind: "failed", message: messageOf(error) });
  }
}

async function complete(
  llama: MediaContext,
  prompt: string,
  media: string[],
  maxTokens: number,
  options: MediaQuestion["options"],
): Promise<void> {
  let sent = "";
  let isOver = false;
  const pass = (text: string) => {
    if (isOver || text === "") return;
    sent += text;
    send({ kind: "text", text });
  };
  const result = await llama.completion(
    { ...options, prompt, media_paths: media, n_predict: maxTokens },
    ({ token }) => pass(token),
  );
  // The last pieces can come after the result. An incomplete character at the end is dropped.
  const text = result.text.replace(/\ufffd+$/, "");
  if (text.startsWith(sent)) pass(text.slice(sent.length));
  isOver = true;
  send({ kind: "done", finish: result.stopped_eos ? "stop" : "length" });
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
