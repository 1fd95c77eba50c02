// The router core in your own program: `npm run example examples/router.ts`. Elsewhere, copy the folder router-wasm with
// the router.wasm that `npm run build` creates, and import its index.ts instead of #router-wasm.
import { readFile } from "node:fs/promises";
import { compileRouter, createRouter, restoreRouter } from "#router-wasm";

const module = await compileRouter(await readFile(new URL("../router-wasm/router.wasm", import.meta.url)));
const options = { blockSize: 16 };
const router = createRouter(module, options);
const [first, second] = [router.addWorker(), router.addWorker()];

// The engine of the second worker reports that it has stored four blocks, under its own hashes.
const prompt = Uint32Array.from({ length: 100 }, (_, i) => 1000 + i);
const engineHashes = BigUint64Array.of(11n, 12n, 13n, 14n);
router.applyStored(second, engineHashes, undefined, prompt.subarray(0, 64));

// A request with that prompt: its token ids are written straight into the core's memory.
router.tokenBuffer(prompt.length).set(prompt);
const decision = router.decide({ tokenCount: prompt.length, policy: "kv", random: Math.random() });
console.log(`worker ${decision.worker} has ${decision.overlapBlocks} of the prompt's 6 blocks`);
for (const { worker, overlapBlocks, total } of router.explain()) {
  console.log(`  worker ${worker}: ${overlapBlocks} blocks, cost ${total}`);
}
router.firstToken(decision.booking); // prefill is done
router.free(decision.booking); // the answer is complete

// Another router starts from a snapshot and continues with the events after it.
const copy = restoreRouter(module, options, router.snapshot());
copy.applyRemoved(second, BigUint64Array.of(14n));
copy.tokenBuffer(prompt.length).set(prompt);
copy.find(copy.hashPrompt(prompt.length).length);
console.log(
  `after an eviction: worker ${first} has ${copy.overlap(first)}, worker ${second} has ${copy.overlap(second)}`,
);
