import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { DownloadError } from "./download-error.ts";

/** @throws DownloadError if the file is not GGUF */
export async function requireGguf(path: string): Promise<void> {
  const file = await open(path);
  try {
    if ((await file.stat()).isDirectory())
      throw new DownloadError(`${path} is a folder; --model takes a GGUF file.`);
    const magic = Buffer.alloc(4);
    await file.read(magic, 0, 4, 0);
    if (magic.toString("latin1") !== "GGUF") throw new DownloadError(`${path} is not a GGUF file.`);
  } finally {
    await file.close();
  }
}

/** The file's SHA-256, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash: Hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

export const exists = async (path: string) => (await stat(path).catch(() => undefined)) !== undefined;
