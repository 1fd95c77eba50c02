import { expect, test } from "vitest";
import type { KvEvent, KvStoredEvent } from "#runtime";
import { collect, requestFor } from "./engine.suite.ts";
import { openMocker } from "./mocker/engine.ts";
import { type KvEventsPrivacy, type KvHashing, PrivateKvEvents } from "./private-kv-events.ts";

const BLOCK_SIZE = 4;

/** Hashes that tell what went into them. */
class PlainHashing implements KvHashing {
  readonly #texts: string[] = [];
  readonly #blockSize: number;

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  mediaHash(identifier: string): bigint {
    return BigInt(this.#number(identifier));
  }

  localHashes(
    tokenIds: Uint32Array,
    before: bigint | undefined,
    { salt, mmHashes }: Parameters<KvHashing["localHashes"]>[2],
  ): BigUint64Array {
    let text = before === undefined ? "" : this.#texts[Number(before)]!;
    return BigUint64Array.from({ length: tokenIds.length / this.#blockSize }, (_, index) => {
      const tokens = [...tokenIds.subarray(index * this.#blockSize, (index + 1) * this.#blockSize)];
      const media = [...(mmHashes?.[index] ?? [])].map((hash) => this.#texts[Number(hash)]);
      const namespace = index === 0 ? salt?.namespace : undefined;
      const name = salt === undefined ? "" : `${salt.loraName ?? ""}/${namespace ?? ""}`;
      text += `${[...tokens, ...media].join(",")}${name};`;
      return BigInt(this.#number(text));
    });
  }

  masked(hashes: BigUint64Array): BigUint64Array {
    return hashes.map((hash) => hash ^ 0xffffn);
  }

  textOf(local: bigint): string {
    return this.#texts[Number(local)]!;
  }

  #number(text: string): number {
    const known = this.#texts.indexOf(text);
    return known >= 0 ? known : this.#texts.push(text) - 1;
  }
}

/** A source of given events, and what comes of them. */
function hiding(snapshot: () => KvEvent[] = () => []) {
  const hashings = new Map<number, PlainHashing>();
  const privacy: KvEventsPrivacy = {
    fingerprint: "",
    createHasher(blockSize) {
      const hashing = new PlainHashing(blockSize);
      hashings.set(blockSize, hashing);
      return hashing;
    },
  };
  let publish: (events: KvEvent[], rank?: number) => void = () => {};
  const subscribe = (listener: typeof publish) => {
    publish = listener;
  };
  const events = new PrivateKvEvents({ subscribe, snapshot }, privacy, BLOCK_SIZE);
  const hidden: KvEvent[] = [];
  events.subscribe((batch) => void hidden.push(...batch));
  const textsOf = ({ localHashes, blockSize }: KvStoredEvent) =>
    [...localHashes!].map((hash) => hashings.get(blockSize)!.textOf(hash));
  const hide = (event: KvEvent, rank?: number): KvEvent | undefined => {
    hidden.length = 0;
    publish([event], rank);
    expect(hidden.length).toBeLessThanOrEqual(1);
    return hidden[0];
  };
  const texts = (event: KvEvent, rank?: number): string[] | undefined => {
    const hidden = hide(event, rank);
    return hidden?.type === "stored" && hidden.localHashes ? textsOf(hidden) : undefined;
  };
  return { events, textsOf, hide, texts };
}

const hashes = (...values: number[]) => BigUint64Array.from(values, BigInt);

const stored = (
  blockHashes: number[],
  parent: number | undefined,
  more: Partial<KvStoredEvent> = {},
): KvEvent => ({
  type: "stored",
  blockHashes: hashes(...blockHashes),
  parentHash: parent === undefined ? undefined : BigInt(parent),
  tokenIds: Uint32Array.from(blockHashes.flatMap((hash) => Array(BLOCK_SIZE).fill(hash))),
  blockSize: BLOCK_SIZE,
  ...more,
});

const removed = (blocks: number[], tier?: "host"): KvEvent => ({
  type: "removed",
  blockHashes: hashes(...blocks),
  ...(tier && { tier }),
});

test("an event has nothing but hashes, of all of the prompt", () => {
  const { hide, texts } = hiding();
  expect(texts(stored([1, 2], undefined, { cacheSalt: "ann", mediaIds: [undefined, ["cat"]] }))).toEqual([
    "1,1,1,1/ann;",
    "1,1,1,1/ann;2,2,2,2,cat/;",
  ]);
  expect(texts(stored([3], 2, { loraName: "poet" }))).toEqual(["1,1,1,1/ann;2,2,2,2,cat/;3,3,3,3poet/;"]);
  const event = hide(stored([4], 3, { cacheSalt: "ann", loraName: "poet", mediaIds: [["cat"]] }));
  expect(event).toEqual({
    type: "stored",
    blockHashes: hashes(4 ^ 0xffff),
    parentHash: BigInt(3 ^ 0xffff),
    tokenIds: new Uint32Array(0),
    localHashes: expect.any(BigUint64Array),
    blockSize: BLOCK_SIZE,
  });
  expect(hide(removed([4]))).toEqual({ type: "removed", blockHashes: hashes(4 ^ 0xffff) });
});

test("a block is known until no tier has it", () => {
  const { hide, texts } = hiding();
  texts(stored([1], undefined));
  const copy = hide(stored([1], undefined, { tier: "host", tokenIds: new Uint32Array(0), blockSize: 0 }));
  expect(copy).toMatchObject({ tier: "host", blockHashes: hashes(1 ^ 0xffff) });
  expect(copy).not.toHaveProperty("localHashes");
  hide(removed([1]));
  expect(texts(stored([2], 1))).toEqual(["1,1,1,1;2,2,2,2;"]);
  hide(removed([1], "host"));
  expect(hide(stored([3], 1))).toBeUndefined();
  expect(texts(stored([3], 2))).toEqual(["1,1,1,1;2,2,2,2;3,3,3,3;"]);
  expect(hide({ type: "cleared" })).toEqual({ type: "cleared" });
  expect(hide(stored([4], 2))).toBeUndefined();
});

test("ranks and groups have blocks of their own", () => {
  const { texts } = hiding();
  texts(stored([1], undefined), 1);
  texts(stored([1], undefined, { group: 1, blockSize: 2, tokenIds: Uint32Array.of(8, 9) }), 1);
  expect(texts(stored([2], 1), 0)).toBeUndefined();
  expect(texts(stored([2], 1), 1)).toEqual(["1,1,1,1;2,2,2,2;"]);
  const inGroup = stored([2], 1, { group: 1, blockSize: 2, tokenIds: Uint32Array.of(6, 7) });
  expect(texts(inGroup, 1)).toEqual(["8,9;6,7;"]);
});

test("a snapshot has the same hashes as the events before it", () => {
  const { events, texts, textsOf } = hiding(() => [stored([1], undefined), stored([2], 1)]);
  const before = [texts(stored([1], undefined)), texts(stored([2], 1))];
  const snapshot = events.snapshot(0) as KvStoredEvent[];
  expect(snapshot.map(textsOf)).toEqual(before);
});

test("a cache that evicts blocks tells the whole prompt of each that it stores", async () => {
  const engine = openMocker({ speedup: 0, blockSize: BLOCK_SIZE, totalBlocks: 24 });
  const { texts } = hiding();
  const published: KvEvent[] = [];
  engine.kvEvents!.subscribe((batch) => void published.push(...batch));
  for (let conversation = 0; conversation < 40; conversation++) {
    const tokens = Uint32Array.from({ length: 40 }, (_, index) =>
      index < 12 ? conversation % 3 : conversation,
    );
    const request = requestFor(tokens, { maxTokens: 9 });
    await collect(engine.generate(request, new AbortController().signal));
  }
  await engine.close();

  /** The tokens up to each block, as an observer of the plain events knows them. */
  const prompts = new Map<bigint, string>();
  for (const event of published) {
    const hidden = texts(event);
    if (event.type !== "stored") continue;
    let before = event.parentHash === undefined ? "" : prompts.get(event.parentHash)!;
    const expected = [...event.blockHashes].map((hash, index) => {
      const tokens = event.tokenIds.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE);
      before += `${tokens.join(",")};`;
      prompts.set(hash, before);
      return before;
    });
    expect(hidden).toEqual(expected);
  }
  expect(published.some(({ type }) => type === "removed")).toBe(true);
  expect(prompts.size).toBeGreaterThan(100);
});
