import { expect, test } from "vitest";
import type { KvStoredEvent } from "#runtime";
import { applyEvent, BLOCK_SIZE, request, routed, type TestModel, testModel } from "../test-model.ts";
import type { RoutedWorker } from "../workers.ts";
import type { ArrivedCopy } from "./index-copies.ts";

const POSITION = { sequence: 1, digest: Uint8Array.of(1) };

/** A model whose router shares its workers with others, and one of them with KV events. */
function openModel(): { model: TestModel; worker: RoutedWorker } {
  const model = testModel({ others: alone });
  const worker = Object.assign(model.add("w0"), { positionOf: () => POSITION });
  return { model, worker };
}

const alone = {
  shares: () => ({ own: "a", weights: new Map<string, number>() }),
  loadsOf: () => ({
    booked: () => ({ prefillTokens: 0, decodeBlocks: 0, requests: 0 }),
    changed() {},
    router: undefined,
  }),
  countRequest() {},
};

function stored(token: number, blocks: number, more: Partial<KvStoredEvent> = {}): KvStoredEvent {
  return {
    type: "stored",
    blockHashes: BigUint64Array.from({ length: blocks }, (_, index) => BigInt(token * 1_000 + index)),
    parentHash: undefined,
    tokenIds: new Uint32Array(blocks * BLOCK_SIZE).fill(token),
    blockSize: BLOCK_SIZE,
    ...more,
  };
}

function copyOf({ router }: TestModel): ArrivedCopy {
  const { ranks, first, rest, predictionsOf } = router.copies.copy(1_000);
  const pieces = [first, ...rest];
  const predictions = new Map(
    ranks.flatMap(({ index }) => {
      const bytes = predictionsOf(index);
      return bytes === undefined ? [] : [[index, bytes] as const];
    }),
  );
  return { ranks, pieces, predictions };
}

function merge({ router }: TestModel, copy: ArrivedCopy, ...workers: RoutedWorker[]) {
  const merging = router.copies.merge(copy, new Set(workers));
  for (;;) {
    const { done, value } = merging.next();
    if (done) return value;
  }
}

const known = ({ router }: TestModel, token: number): number => {
  const { prompt } = request(20 * BLOCK_SIZE, {}, token);
  return 20 - router.uncachedTokens({ prompt, salt: undefined }) / BLOCK_SIZE;
};

test("a copy has the blocks, the predictions and the recent prefill of its workers", () => {
  const [one, two] = [openModel(), openModel()];
  applyEvent(one.model.router, one.worker, stored(1, 5));
  const silent = one.model.add("w1");
  one.model.router.predictOnly(silent);
  const named = request(10 * BLOCK_SIZE, { worker: "w1" }, 2);
  routed(one.model.router, named).free("finished");
  const other = two.model.add("w1");
  two.model.router.predictOnly(other);
  const copy = copyOf(one.model);
  expect(copy.ranks).toMatchObject([
    { worker: "w0", rank: 0, position: POSITION, recentPrefillTokens: 0 },
    { worker: "w1", rank: 0, position: undefined, recentPrefillTokens: expect.closeTo(160, -1) },
  ]);
  expect(merge(two.model, copy, two.worker, other)).toEqual({ stored: 5, predicted: 10 });
  expect([known(two.model, 1), known(two.model, 2)]).toEqual([5, 10]);
  // Merging it again changes nothing. It decays with time.
  expect(copyOf(two.model).ranks[1]?.recentPrefillTokens).toBeCloseTo(160, -1);
  merge(two.model, copy, two.worker, other);
  expect(copyOf(two.model).ranks[1]?.recentPrefillTokens).toBeCloseTo(160, -1);
});

test("the followed cache group is taken over, so that its blocks are not mixed with another's", () => {
  const [one, two] = [openModel(), openModel()];
  applyEvent(one.model.router, one.worker, stored(1, 5, { group: 0, isWindowed: true }));
  applyEvent(one.model.router, one.worker, stored(1, 7, { group: 1 }));
  expect(known(one.model, 1)).toBe(7);
  merge(two.model, copyOf(one.model), two.worker);
  expect(known(two.model, 1)).toBe(7);
  applyEvent(two.model.router, two.worker, stored(3, 2, { group: 0, isWindowed: true }));
  expect([known(two.model, 1), known(two.model, 3)]).toEqual([7, 0]);
});

test("a worker that leaves while its blocks are merged loses nothing of the others'", () => {
  const [one, two] = [openModel(), openModel()];
  const second = Object.assign(one.model.add("w1"), { positionOf: () => POSITION });
  for (let token = 1; token <= 200; token++)
    applyEvent(one.model.router, token % 2 === 0 ? one.worker : second, stored(token, 4));
  const staying = two.model.add("w1");
  const merging = two.model.router.copies.merge(copyOf(one.model), new Set([two.worker, staying]));
  for (let step = 0; step < 15; step++) expect(merging.next().done).toBe(false);
  two.model.router.removeWorker(two.worker);
  const successor = two.model.add("w2");
  while (merging.next().done === false);
  const held = (worker: RoutedWorker) => two.model.router.loads(worker)[0]?.storedBlocks;
  expect([held(successor), held(staying)]).toEqual([0, 400]);
});
