import { getLlama } from "node-llama-cpp";
import { expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "#cli";
import { PNG } from "../../../../gateway/media/test-media.ts";
import { temporaryFolder } from "../../../../scripts/testing/temporary-folder.ts";
import { type RowsPart, unpackParts } from "../medium-parts.ts";
import { loadForeign } from "../native/foreign.ts";
import { findMediaPackages, loadedLibraries } from "../packages.ts";
import { randomProjector } from "../test-projector.ts";
import { takeKernels } from "./kernels.ts";
import { MediaProcess } from "./media-process.ts";

/** The width and the vocabulary of SmolLM2-135M. */
const [WIDTH, VOCABULARY] = [576, 49_152];

const libraries = async () => {
  await getLlama({ build: "never", gpu: false, progressLogs: false });
  return loadedLibraries();
};

test("a library takes kernels for the usual types of weights from another release, as often as it is asked", async () => {
  const { kernels } = await libraries();
  const { koffi, llama } = findMediaPackages(import.meta.dirname);
  const [slow, fast] = [llama, kernels!].map((path) => loadForeign(koffi, path));
  // 32 and 16 bits, and what quantised projectors have.
  for (const _ of [1, 2]) expect(takeKernels(slow!, fast!)).toBeGreaterThan(10);
});

test("pictures have the same features by other kernels, but for rounding", async () => {
  const { kernels } = await libraries();
  const modelPath = (await fetchModel(undefined, { folder: defaultModelFolder() })).path;
  const packages = findMediaPackages(import.meta.dirname);
  const options = {
    packages,
    modelPath,
    projectorPath: await randomProjector(await temporaryFolder()),
    threads: 1,
  };
  const rows: RowsPart[] = [];
  for (const taken of [undefined, kernels]) {
    const media = await MediaProcess.open({ ...options, kernels: taken });
    try {
      const end = await media.encode(Buffer.from(PNG, "base64"));
      if (end.kind !== "encoded") throw new Error(end.message);
      rows.push(...unpackParts(end.features, WIDTH, VOCABULARY).filter((part) => part.kind === "rows"));
    } finally {
      await media.close();
    }
  }
  const [own, other] = rows.map(({ embeddings }) => embeddings);
  // Other results show that they come from other kernels.
  expect(other).not.toEqual(own);
  for (const [index, value] of own!.entries()) expect(other![index]).toBeCloseTo(value, 1);
});
