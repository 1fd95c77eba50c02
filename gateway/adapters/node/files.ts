import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { PlatformFiles } from "../../create-gateway.ts";

/** Models' files on this machine, and those in Hugging Face's cache. */
export function nodeFiles(): PlatformFiles {
  return { readTextFile: readIfThere, hubCache: hubCache() };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

/** Where Hugging Face's libraries keep what they have fetched. */
function hubCache(): string {
  const { HF_HUB_CACHE, HF_HOME } = process.env;
  return HF_HUB_CACHE ?? join(HF_HOME ?? join(homedir(), ".cache", "huggingface"), "hub");
}
