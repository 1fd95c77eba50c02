import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { MediaProcess } from "./media-process.ts";
import type { MediaModelOptions, MediaQuestion } from "./messages.ts";

/** A package koffi whose functions do what the tokens of the prompt say. */
const KOFFI = `
const defaults = {
  llama_model_default_params: { split_mode: 1, load_mode: 1, vocab_only: false, use_extra_bufts: true, no_alloc: false },
  llama_context_default_params: {
    n_ctx: 512, n_ubatch: 512, n_threads: 4, n_threads_batch: 4, type_k: 1, type_v: 1, embeddings: false,
    offload_kqv: true, n_samplers: 0,
  },
  mtmd_context_params_default: { use_gpu: true, n_threads: 4, warmup: true, batch_max_tokens: 1024 },
};
let last;
const functions = {
  mtmd_init_from_file: (path) => {
    if (path.includes("deadly")) process.exit(1);
    return path.includes("foreign") ? null : 1;
  },
  mtmd_support_vision: () => true,
  mtmd_support_audio: () => false,
  mtmd_helper_bitmap_init_from_buf: () => ({ bitmap: null }),
  llama_sampler_init_grammar: () => null,
  llama_vocab_is_eog: (vocabulary, token) => token === END,
  llama_decode: (context, { token }) => {
    last = token.at(-1);
    if (last === CRASH) process.exit(1);
    return last === FAIL ? 1 : 0;
  },
  llama_sampler_sample: () => (last === WAIT ? WAIT : last === 9 ? END : 9),
};
module.exports = {
  struct() {},
  load: () => ({
    func(declaration) {
      const name = /(\\w+)\\(/.exec(declaration)[1];
      const call = functions[name] ?? (() => defaults[name] ?? 1);
      call.async = (...values) => setImmediate(() => values.at(-1)(null, call(...values)));
      return call;
    },
  }),
};
const [END, CRASH, FAIL, WAIT] = [2, 3, 4, 5];
`;
const [CRASH, FAIL, WAIT] = [3, 4, 5];
const ANSWER = 9;
const END = 2;

let options: MediaModelOptions;
let media: MediaProcess;
const never = new AbortController().signal;

beforeAll(async () => {
  const koffi = join(await temporaryFolder(), "koffi.cjs");
  await writeFile(koffi, KOFFI);
  options = {
    packages: { koffi, llama: "llama" },
    ...{ modelPath: "model", projectorPath: "projector", contextLength: 100, threads: 1 },
  };
  media = await MediaProcess.open(options);
});

afterAll(() => media.close());

async function ask(
  tokens: readonly number[],
  more: { maxTokens?: number; media?: MediaQuestion["media"]; grammar?: string } = {},
  signal = never,
  onToken = () => {},
) {
  const ids: number[] = [];
  let begun: number | undefined;
  const end = await media.ask(
    {
      kind: "ask",
      tokens: Uint32Array.from(tokens),
      media: more.media ?? [],
      maxTokens: more.maxTokens ?? 1000,
      sampling: {
        ...{ temperature: 0, topK: 0, topP: 1, minP: 0, seed: 1, logitBias: [], grammar: more.grammar },
        ...{ repetitionPenalty: 1, frequencyPenalty: 0, presencePenalty: 0 },
      },
      ...{ ignoreEos: false, stopTokenIds: [], logprobs: undefined },
    },
    {
      onBegun: (promptTokens) => {
        begun = promptTokens;
      },
      onToken: ({ id }) => {
        ids.push(id);
        onToken();
      },
    },
    signal,
  );
  return { end, begun, ids };
}

const HELLO = [7, 8];
const STOPPED = { end: { kind: "done", finish: "stop", stopToken: END }, begun: 2, ids: [ANSWER] };

test("answers token by token, until the model ends", async () => {
  expect(await ask(HELLO)).toEqual(STOPPED);
});

test("ends at the most tokens, at once if there are none", async () => {
  for (const maxTokens of [0, 1])
    expect(await ask(HELLO, { maxTokens })).toMatchObject({
      end: { kind: "done", finish: "length" },
      ids: maxTokens === 0 ? [] : [ANSWER],
    });
});

test("refuses media that cannot be decoded, prompts that are too long, and what is no grammar", async () => {
  const damaged = { position: 0, data: new Uint8Array(3), features: undefined };
  expect(await ask(HELLO, { media: [damaged] })).toMatchObject({
    end: { kind: "refused", message: expect.stringContaining("damaged") },
    begun: undefined,
  });
  expect((await ask(Array.from({ length: 100 }, () => 7))).end).toMatchObject({
    ...{ kind: "refused", message: expect.stringContaining("100 tokens") },
  });
  expect((await ask(HELLO, { grammar: "root" })).end.kind).toBe("refused");
  expect(await media.encode(damaged.data)).toMatchObject({ kind: "refused" });
});

test("stops within one token when the request is cancelled", async () => {
  const leaving = new AbortController();
  const { end } = await ask([WAIT], {}, leaving.signal, () => leaving.abort());
  expect(end).toEqual({ kind: "done", finish: "length" });
  expect(await ask(HELLO)).toEqual(STOPPED);
});

test.each([
  ["crashes", CRASH],
  ["fails", FAIL],
])("starts again after it %s", async (_, token) => {
  expect((await ask([token])).end.kind).toBe("failed");
  expect(await ask(HELLO)).toEqual(STOPPED);
});

test.each([
  ["foreign", "that of another model"],
  ["deadly", "ended its process"],
])("a %s projector is refused with the reason", async (projectorPath, reason) => {
  await expect(MediaProcess.open({ ...options, projectorPath })).rejects.toThrow(
    new RegExp(`Cannot load the projector ${projectorPath}: .*${reason}`),
  );
});

test("packages with another interface are refused", async () => {
  const koffi = join(await temporaryFolder(), "koffi.cjs");
  await writeFile(koffi, KOFFI.replace("n_threads: 4", "n_threads: 5"));
  await expect(MediaProcess.open({ ...options, packages: { koffi, llama: "llama" } })).rejects.toThrow(
    "another release of llama.cpp",
  );
});
