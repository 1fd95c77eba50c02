import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, randomId } from "#runtime";
import { isOwnResponse } from "../../api/responses/items.ts";
import type { ResponseStore, StoredResponse } from "../../api/responses/store.ts";

/** Keeps each response in a file, which every gateway that uses the folder can read. Nothing removes old ones. */
export class ResponsesFolder implements ResponseStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(stored: StoredResponse): Promise<void> {
    // Only this user may read what clients have said.
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const temporary = join(this.#folder, `.${randomId()}`);
    await writeFile(temporary, JSON.stringify(stored), { mode: 0o600 });
    await rename(temporary, this.#fileOf(stored.response.id));
  }

  async get(id: string): Promise<StoredResponse | undefined> {
    if (!isOwnResponse(id)) return undefined;
    try {
      return JSON.parse(await readFile(this.#fileOf(id), "utf8"));
    } catch (error) {
      if (Reflect.get(Object(error), "code") === "ENOENT") return undefined;
      throw new Error(`Cannot read the response ${id}: ${messageOf(error)}`, { cause: error });
    }
  }

  async delete(id: string): Promise<void> {
    if (isOwnResponse(id)) await rm(this.#fileOf(id), { force: true });
  }

  #fileOf(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}
