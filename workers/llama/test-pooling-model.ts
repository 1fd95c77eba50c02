import { copyFile, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultModelFolder, fetchModel } from "#cli";
import { text, textEntry, UINT32, uint32 } from "./test-gguf.ts";

/** The pooling type of embedding models that take the mean of all tokens' states, as in llama.cpp. */
export const MEAN = 1;
/** That of rerankers. */
export const RANK = 4;

/**
 * A copy of the default model with a pooling type, as embedding models and rerankers have. The tensors after the metadata
 * must not move, so the type replaces the size label, and the license after it grows by the remaining bytes.
 * @param folder where to put it
 * @returns its path
 */
export async function poolingModel(folder: string, type: number): Promise<string> {
  const { path: original } = await fetchModel(undefined, { folder: defaultModelFolder() });
  const path = join(folder, `pooling-${type}.gguf`);
  await copyFile(original, path);
  const head = (await readFile(path)).subarray(0, 4096);
  const replaced = Buffer.concat([
    textEntry("general.size_label", "135M"),
    textEntry("general.license", "apache-2.0"),
  ]);
  const at = head.indexOf(replaced);
  if (at < 0) throw new Error("The default model's metadata has changed.");
  const pooling = Buffer.concat([text("llama.pooling_type"), uint32(UINT32), uint32(type)]);
  const room = replaced.length - pooling.length - textEntry("general.license", "").length;
  const replacement = Buffer.concat([pooling, textEntry("general.license", "apache-2.0".padEnd(room))]);
  const file = await open(path, "r+");
  await file.write(replacement, 0, replacement.length, at);
  await file.close();
  return path;
}
