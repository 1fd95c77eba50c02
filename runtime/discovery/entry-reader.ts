import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { encodeKey, parseEntryName } from "./file-names.ts";
import { type FileStore, isMissing, listFolder } from "./file-store.ts";

/** An entry as stored in its file. */
export interface StoredEntry {
  key: string;
  leaseId: string;
  json: string;
  /** When it was put, in milliseconds since the epoch; of two entries for one key the later one wins. */
  written: number;
}

const contentSchema = z.object({ key: z.string(), written: z.number(), value: z.json() });

/** The content of an entry's file. */
export function entryContent(key: string, value: unknown, written: number): string {
  return JSON.stringify({ key, written, value });
}

interface KnownFile {
  /** Changes when the file does. */
  stamp: string;
  /** The next change may not change the stamp. */
  racy: boolean;
  /** Undefined for a file that is not an entry. */
  entry: StoredEntry | undefined;
}

/** Reads the directory of entries, re-reading only changed files. */
export class EntryReader {
  readonly #store: FileStore;
  #files = new Map<string, KnownFile>();

  constructor(store: FileStore) {
    this.#store = store;
  }

  /** Returns all entries by file name, skipping other files (unrelated or half-written). */
  async read(): Promise<Map<string, StoredEntry>> {
    // Listing can miss a file that is being replaced, so also check the files known before.
    const names = new Set([...(await listFolder(this.#store.entries)), ...this.#files.keys()]);
    const files = new Map<string, KnownFile>();
    const found = new Map<string, StoredEntry>();
    for (const name of names) {
      const file = await this.#file(name);
      if (!file) continue;
      files.set(name, file);
      if (file.entry) found.set(name, file.entry);
    }
    this.#files = files;
    return found;
  }

  async #file(name: string): Promise<KnownFile | undefined> {
    const path = join(this.#store.entries, name);
    try {
      const { ino, mtimeMs, size } = await stat(path);
      const stamp = `${ino} ${mtimeMs} ${size}`;
      const known = this.#files.get(name);
      if (known && known.stamp === stamp && !known.racy) return known;
      // File times are coarse: a file that has just changed can change again under the same stamp.
      const racy = Date.now() - mtimeMs < racyMs;
      return { stamp, racy, entry: parseEntry(name, await readFile(path, "utf8")) };
    } catch (error) {
      if (isMissing(error)) return undefined;
      return { stamp: "", racy: true, entry: undefined };
    }
  }
}

function parseEntry(name: string, content: string): StoredEntry | undefined {
  const parsed = parseEntryName(name);
  if (!parsed) return undefined;
  try {
    const { key, written, value } = contentSchema.parse(JSON.parse(content));
    if (encodeKey(key) !== parsed.encodedKey) return undefined;
    return { key, leaseId: parsed.leaseId, written, json: JSON.stringify(value) };
  } catch {
    return undefined;
  }
}

const racyMs = 2_000;
