import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../../../scripts/testing/temporary-folder.ts";
import { unpackParts } from "../medium-parts.ts";
import { MediaProcess } from "./media-process.ts";
import type { ProjectorOptions } from "./messages.ts";

/** A package koffi whose functions do what the first byte of the medium says. */
const KOFFI = `
const defaults = {
  llama_model_default_params: { split_mode: 1, load_mode: 1, vocab_only: false, use_extra_bufts: true, no_alloc: false },
  mtmd_context_params_default: { use_gpu: true, n_threads: 4, warmup: true, batch_max_tokens: 1024 },
};
const [DAMAGED, CRASH, FAIL] = [1, 2, 3];
let medium;
const functions = {
  llama_model_n_embd_inp: () => 2,
  mtmd_init_from_file: (path) => {
    if (path.includes("deadly")) process.exit(1);
    return path.includes("foreign") ? null : 1;
  },
  mtmd_support_vision: () => true,
  mtmd_support_audio: () => false,
  mtmd_helper_bitmap_init_from_buf: (projector, bytes) => {
    medium = bytes[0];
    if (medium === CRASH) process.exit(1);
    return { bitmap: medium === DAMAGED ? null : 1 };
  },
  mtmd_tokenize: () => 0,
  mtmd_input_chunks_size: () => 1,
  mtmd_input_chunk_get_type: () => 1,
  mtmd_input_chunk_get_n_tokens: () => 3,
  mtmd_input_chunk_get_n_pos: () => 3,
  mtmd_decode_use_mrope: () => false,
  mtmd_decode_use_non_causal: () => true,
  mtmd_encode_chunk: () => (medium === FAIL ? 1 : 0),
};
module.exports = {
  struct() {},
  view: (pointer, bytes) => new Float32Array(bytes / 4).fill(7).buffer,
  load: () => ({
    func(declaration) {
      const name = /(\\w+)\\(/.exec(declaration)[1];
      const call = functions[name] ?? (() => defaults[name] ?? 1);
      call.async = (...values) => setImmediate(() => values.at(-1)(null, call(...values)));
      return call;
    },
  }),
};
`;
const [GOOD, DAMAGED, CRASH, FAIL] = [0, 1, 2, 3].map((byte) => Uint8Array.of(byte, 0));

let options: ProjectorOptions;
let media: MediaProcess;

beforeAll(async () => {
  const koffi = join(await temporaryFolder(), "koffi.cjs");
  await writeFile(koffi, KOFFI);
  options = {
    packages: { koffi, llama: "llama" },
    ...{ modelPath: "model", projectorPath: "projector", threads: 1 },
  };
  media = await MediaProcess.open(options);
});

afterAll(() => media.close());

test("says what the projector takes", () => {
  expect(media.kinds).toEqual({ vision: true, audio: false });
});

test("encodes a medium, and counts its tokens", async () => {
  expect(await media.measure(GOOD!)).toEqual({ kind: "measured", tokens: 3 });
  const end = await media.encode(GOOD!, 3);
  if (end.kind !== "encoded") throw new Error(`The medium is ${end.kind}.`);
  expect(end.tokens).toBe(3);
  expect(unpackParts(end.features, 2, 10)).toEqual([
    { kind: "rows", count: 3, positions: 3, isCausal: false, embeddings: new Float32Array(6).fill(7) },
  ]);
});

test("only measures a medium that is more tokens than it may be", async () => {
  expect(await media.encode(GOOD!, 2)).toEqual({ kind: "measured", tokens: 3 });
});

test("refuses a medium that cannot be decoded", async () => {
  for (const end of [await media.encode(DAMAGED!, 3), await media.measure(DAMAGED!)])
    expect(end).toMatchObject({ kind: "refused", message: expect.stringContaining("damaged") });
});

test.each([
  ["crashes", CRASH],
  ["fails", FAIL],
])("starts again after it %s", async (_, data) => {
  expect((await media.encode(data!, 3)).kind).toBe("failed");
  expect((await media.encode(GOOD!, 3)).kind).toBe("encoded");
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
