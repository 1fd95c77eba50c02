import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";

const schema = z.object({
  source: z.string(),
  commit: z.string().optional(),
  bytes: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  checksumFrom: z.enum(["source", "download"]),
  fetchedAt: z.string(),
});

/** What is kept about a downloaded model file, beside it, so that it can be verified without the source. */
export interface FileRecord {
  /** The address: `hf:owner/repo@revision/file.gguf`, or a URL without its query. */
  readonly source: string;
  /** The commit that the hub served, if it told. */
  readonly commit?: string | undefined;
  readonly bytes: number;
  readonly sha256: string;
  /** Who computed the checksum: the source, or we after the download because the source gave none. */
  readonly checksumFrom: "source" | "download";
  /** ISO 8601. */
  readonly fetchedAt: string;
}

/** Where the record of a model file is. */
export const recordPath = (path: string): string => `${path}.json`;

export const writeRecord = (path: string, record: FileRecord): Promise<void> =>
  writeFile(recordPath(path), `${JSON.stringify(record, null, 2)}\n`);

/** The record; undefined if there is none, or a crash truncated it. */
export async function readRecord(path: string): Promise<FileRecord | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(recordPath(path), "utf8")));
  } catch {
    return undefined;
  }
}
