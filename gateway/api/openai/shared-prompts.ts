import type { WorkerSide } from "../../models/model.ts";

/**
 * How many of a prompt's first tokens are those of a shared system prompt, with what the chat template puts before it.
 * They tell nothing else about the request, whatever follows.
 */
export async function sharedTokens(
  model: WorkerSide,
  sharedPrompts: readonly string[],
  tokens: Uint32Array,
): Promise<number> {
  if (sharedPrompts.length === 0) return 0;
  let beginnings = known.get(model);
  if (beginnings === undefined) {
    beginnings = Promise.all(
      sharedPrompts.flatMap((text) => [chatBeginning(model, text), textTokens(model, text)]),
    );
    known.set(model, beginnings);
  }
  return Math.max(...(await beginnings).map((beginning) => commonLength(beginning, tokens)));
}

/** The tokens with which prompts begin that have a shared system prompt. */
const known = new WeakMap<WorkerSide, Promise<readonly Uint32Array[]>>();

/** What all chats with the system prompt have in common: two that say different things show where it ends. */
async function chatBeginning(model: WorkerSide, system: string): Promise<Uint32Array> {
  const [one, other] = await Promise.all(
    ["1", "A"].map(async (content) => {
      const messages = [
        { role: "system", content: system },
        { role: "user", content },
      ];
      return (await model.prompts.read("chat", { messages })).tokens;
    }),
  );
  return one!.subarray(0, commonLength(one!, other!));
}

/** A text completion that begins with the prompt. */
const textTokens = async (model: WorkerSide, prompt: string) =>
  (await model.prompts.read("completions", { prompt })).tokens;

function commonLength(one: Uint32Array, other: Uint32Array): number {
  const most = Math.min(one.length, other.length);
  for (let index = 0; index < most; index++) if (one[index] !== other[index]) return index;
  return most;
}
