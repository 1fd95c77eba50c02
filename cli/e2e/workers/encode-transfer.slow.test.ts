import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KvSource } from "#runtime";
import { OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { requestFor } from "../../../workers/engine.suite.ts";
import { PICTURE_TOKENS, randomProjector } from "../../../workers/llama/media/test-projector.ts";
import { KvWorker, LENGTH, whyNot } from "./kv-workers.ts";

// Pictures that one worker's process encodes and another one answers, over each kind of transfer that this machine has.

const KINDS = ["nixl", "shared-memory", "tcp"] as const;

describe.each(KINDS)("features of llama.cpp's projector by way of %s", (kind) => {
  const folder = temporaryFolder();
  let encode: KvWorker | undefined;
  let answering: KvWorker | undefined;
  let missing: string | undefined;

  beforeAll(async () => {
    missing = await whyNot(kind);
    if (missing !== undefined) return;
    const common = [`--mmproj=${await randomProjector(folder)}`, `--kv-transfer=${kind}`];
    [encode, answering] = await Promise.all([
      KvWorker.start(folder, `encode-${kind}`, "--role=encode", ...common),
      KvWorker.start(folder, `answer-${kind}`, ...common),
    ]);
  });

  afterAll(async () => {
    await Promise.all([encode, answering].map((worker) => worker?.process.stop()));
  });

  const medium = (base64: string) => ({
    ...{ kind: "image" as const, type: "image/png", data: Buffer.from(base64, "base64") },
  });

  test("give the answer of one worker, until the encode worker is killed, and after", async (context) => {
    if (encode === undefined || answering === undefined) return context.skip(missing);
    const [before, after] = await Promise.all(
      ["<|im_start|>user\n", "What is this?<|im_end|>\n<|im_start|>assistant\n"].map((text) =>
        answering!.client.tokenize(text),
      ),
    );
    const tokens = Uint32Array.from([...before!, ...after!]);
    const ask = async (base64: string, features?: KvSource) => {
      const media = [{ ...medium(base64), position: before!.length, features }];
      // Nothing that was computed for another request is of use.
      const cacheSalt = crypto.randomUUID();
      const request = requestFor(tokens, { maxTokens: LENGTH, media, cacheSalt });
      return (await answering!.client.generate(request)).tokens;
    };
    const encodeOne = async (base64: string) => {
      const [encoded] = await encode!.client.encode([{ ...medium(base64), id: base64 }]);
      if (encoded?.kind !== "features") throw new Error(`The picture is ${encoded?.kind}.`);
      return encoded.source;
    };
    const whole = [await ask(PNG), await ask(OTHER_PNG)];
    expect(whole[0]).not.toEqual(whole[1]);
    const sources = [await encodeOne(PNG), await encodeOne(OTHER_PNG)];
    expect(sources[0]).toMatchObject({ tokens: PICTURE_TOKENS });
    expect(await ask(PNG, sources[0])).toEqual(whole[0]);
    // It is the features that count, not the picture.
    expect(await ask(PNG, sources[1])).toEqual(whole[1]);
    await answering.process.printed(/features received request=test kind=image bytes=\d+ transfer=\S+/);
    expect(await encode.metric("worker_media_encoded_total")).toEqual({ 'outcome="encoded"': 2 });
    await encode.kill();
    expect(await ask(OTHER_PNG, sources[1])).toEqual(whole[1]);
    const transfers = await answering.metric("worker_feature_transfers_total");
    expect(Object.values(transfers).reduce((sum, count) => sum + count, 0)).toBe(3);
  });
});
