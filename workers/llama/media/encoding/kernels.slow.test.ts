import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
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
import type { FromProcess, ToProcess } from "./messages.ts";

/** The width and the vocabulary of SmolLM2-135M. */
const [WIDTH, VOCABULARY] = [576, 49_152];

const libraries = async () => {
  await getLlama({ build: "never", gpu: false, progressLogs: false });
  return loadedLibraries();
};

const optionsOf = async () => ({
  packages: findMediaPackages(import.meta.dirname),
  modelPath: (await fetchModel(undefined, { folder: defaultModelFolder() })).path,
  projectorPath: await randomProjector(await temporaryFolder()),
  threads: 1,
});

test("a library takes kernels for the usual types of weights from another release, as often as it is asked", async () => {
  const { kernels } = await libraries();
  const { koffi, llama } = findMediaPackages(import.meta.dirname);
  const [slow, fast] = [llama, kernels!].map((path) => loadForeign(koffi, path));
  // 32 and 16 bits, and what quantised projectors have.
  for (const _ of [1, 2]) expect(takeKernels(slow!, fast!)).toBeGreaterThan(10);
});

test("kernels stay in memory, however much garbage is collected", async () => {
  // No one else has loaded the library there.
  const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), [], {
    ...{ serialization: "advanced", stdio: "ignore" },
    execArgv: ["--expose-gc", "--import=data:text/javascript,setInterval(gc, 2)"],
  });
  try {
    const ask = (order: ToProcess) =>
      new Promise<FromProcess["kind"] | "ended">((resolve) => {
        child.once("message", ({ kind }: FromProcess) => resolve(kind));
        child.once("exit", () => resolve("ended"));
        child.send(order);
      });
    const { kernels } = await libraries();
    expect(await ask({ kind: "open", ...(await optionsOf()), kernels })).toBe("ready");
    for (let turn = 0; turn < 20; turn++)
      expect(await ask({ kind: "encode", data: Buffer.from(PNG, "base64"), most: 1_000 })).toBe("encoded");
  } finally {
    child.kill("SIGKILL");
  }
});

test("pictures have the same features by other kernels, but for rounding", async () => {
  const { kernels } = await libraries();
  const options = await optionsOf();
  const rows: RowsPart[] = [];
  for (const taken of [undefined, kernels]) {
    const media = await MediaProcess.open({ ...options, kernels: taken });
    try {
      const end = await media.encode(Buffer.from(PNG, "base64"), 1_000);
      if (end.kind !== "encoded") throw new Error(`The picture is ${end.kind}.`);
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
