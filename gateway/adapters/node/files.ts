import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import type { PlatformFiles } from "../../compose/create-gateway.ts";
import { hubCacheOf } from "../hub-cache.ts";
import { openResponses } from "./responses/index.ts";

/** Access to model files on this machine and in Hugging Face's cache. */
export function nodeFiles(): PlatformFiles {
  return {
    readTextFile: readIfThere,
    openResponses,
    hubCache: hubCacheOf((name) => process.env[name], homedir()),
  };
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
