import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, randomId } from "#runtime";
import type { Change } from "../../../api/conversations/changes.ts";
import { isKept } from "../../../api/responses/items.ts";
import { deletedMeanwhile, type ResponseObject } from "../../../api/responses/response.ts";
import type { ResponseLog, ResponseStore, StoredResponse } from "../../../api/responses/store.ts";
import { endForMaker } from "./dead-maker.ts";
import { appendEntry, readEntries } from "./journal-file.ts";
import { hasEnded, LogFile } from "./log-file.ts";
import { eventsIn, linesOf } from "./read-log.ts";
import { Sweeper } from "./sweep.ts";

/** After how long without a sign of life the maker of a response counts as dead, in milliseconds. */
const DEAD_MS = 15_000;

type Kind = "json" | "events" | "cancel" | "changes";

/** How a response has ended. */
interface End {
  /** Tells it from others. */
  readonly name: string;
  readonly response: ResponseObject;
}

/**
 * Keeps each response in a file, the events of those in the background in another, and each conversation in one, which
 * every gateway that uses the folder can read. What was not changed for the time to live is removed.
 */
export class ResponsesFolder implements ResponseStore {
  readonly #folder: string;
  readonly #ttlMs: number;
  readonly #sweeper: Sweeper;

  /**
   * Makes the folder, and tries whether files can be written there.
   * @throws Error with the reason if not
   */
  static async open(folder: string, ttlMs: number): Promise<ResponsesFolder> {
    const store = new ResponsesFolder(folder, ttlMs);
    try {
      const trial = join(await store.#made(), `.${randomId()}`);
      await writeFile(trial, "stator", { mode: 0o600 });
      await rm(trial);
    } catch (error) {
      throw new Error(
        `Responses cannot be kept where --responses-store says: ${folder} is no folder that this process can write to (${messageOf(error)}). Name one that it can create or write to.`,
        { cause: error },
      );
    }
    return store;
  }

  constructor(folder: string, ttlMs: number) {
    this.#folder = folder;
    this.#ttlMs = ttlMs;
    this.#sweeper = new Sweeper(folder, ttlMs);
  }

  async put(stored: StoredResponse): Promise<void> {
    const temporary = join(await this.#made(), `.${randomId()}`);
    await writeFile(temporary, JSON.stringify(stored), { mode: 0o600 });
    await rename(temporary, this.#file(stored.response.id, "json"));
    this.#sweeper.sweepInBackground();
  }

  async settle({ response }: StoredResponse): Promise<boolean> {
    const { id } = response;
    if (!(await this.#has(id, "json"))) return false;
    const end: End = { name: randomId(), response };
    if (!(await appendEntry(this.#file(id, "json"), end, { isNew: false }))) return false;
    const [, first] = await this.#entries(id);
    return first?.name === end.name;
  }

  async get(id: string): Promise<StoredResponse | undefined> {
    const stored = await this.#read(id);
    if (stored?.response.status !== "in_progress" || (await this.#isAlive(id))) return stored;
    return endForMaker(this, stored, () => this.#read(id));
  }

  async begin(id: string, created: Change): Promise<void> {
    await this.#made();
    await appendEntry(this.#file(id, "changes"), created, { isNew: true });
    this.#sweeper.sweepInBackground();
  }

  async change(id: string, change: Change): Promise<boolean> {
    if (!isKept(id)) return false;
    const isCurrent = (changedMs: number) => Date.now() - changedMs < this.#ttlMs;
    return appendEntry(this.#file(id, "changes"), change, { isNew: false, isCurrent });
  }

  async changes(id: string): Promise<readonly Change[] | undefined> {
    return (await this.#has(id, "changes")) ? readEntries(this.#file(id, "changes")) : undefined;
  }

  async delete(id: string): Promise<void> {
    if (!isKept(id)) return;
    // Its maker stores how it ends only if it is still there when it is cancelled.
    await rm(this.#file(id, "json"), { force: true });
    await this.cancel(id);
    for (const kind of ["events", "changes"] as const) await rm(this.#file(id, kind), { force: true });
  }

  async openLog(id: string, owner: string): Promise<ResponseLog> {
    await this.#made();
    await writeFile(this.#file(id, "events"), `${JSON.stringify(owner)}\n`, { mode: 0o600 });
    return new LogFile(this.#file(id, "events"), this.#file(id, "cancel"));
  }

  async follow(
    id: string,
    owner: string,
    from: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string> | undefined> {
    if (!(await this.#has(id, "events"))) return undefined;
    const isAlive = async () => {
      const age = await this.#age(id, "events");
      if (age === Number.POSITIVE_INFINITY) throw deletedMeanwhile(id);
      return age < DEAD_MS;
    };
    const lines = linesOf(this.#file(id, "events"), signal, isAlive);
    const { value } = await lines.next();
    if (value === JSON.stringify(owner)) return eventsIn(lines, from);
    await lines.return(undefined);
    return undefined;
  }

  async cancel(id: string): Promise<void> {
    if (!isKept(id) || !(await this.#isAlive(id))) return;
    await writeFile(this.#file(id, "cancel"), "", { mode: 0o600 });
    // The maker removes it at its end, which may have come before.
    if (await hasEnded(this.#file(id, "events"))) await rm(this.#file(id, "cancel"), { force: true });
  }

  close(): void {}

  async #read(id: string): Promise<StoredResponse | undefined> {
    if (!(await this.#has(id, "json"))) return undefined;
    const [stored, end] = await this.#entries(id);
    return stored && end ? { ...stored, response: end.response } : stored;
  }

  /** A response as it was put, and how it has ended if that was not known then: the first end that was appended. */
  async #entries(id: string): Promise<readonly [StoredResponse?, End?]> {
    return ((await readEntries(this.#file(id, "json"))) ?? []) as [StoredResponse?, End?];
  }

  /** Whether somebody is making the response. */
  async #isAlive(id: string): Promise<boolean> {
    return (await this.#age(id, "events")) < DEAD_MS;
  }

  /** Whether there is such a file that has not expired. */
  async #has(id: string, kind: Kind): Promise<boolean> {
    return isKept(id) && (await this.#age(id, kind)) < this.#ttlMs;
  }

  /** How long ago a file was changed, in milliseconds; infinite if it does not exist. */
  async #age(id: string, kind: Kind): Promise<number> {
    const file = await stat(this.#file(id, kind)).catch(() => undefined);
    return file === undefined ? Number.POSITIVE_INFINITY : Date.now() - file.mtimeMs;
  }

  /** Only this user may read what clients have said. */
  async #made(): Promise<string> {
    await makeFolder(this.#folder);
    return this.#folder;
  }

  #file(id: string, kind: Kind): string {
    return join(this.#folder, `${id}.${kind}`);
  }
}

/** Makes a folder and those above it. Node's own `recursive` never ends where the system makes none, as in /proc. */
async function makeFolder(path: string, mayLackParent = true): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory()) return;
    const code: unknown = Reflect.get(Object(error), "code");
    if (code !== "ENOENT" || !mayLackParent || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await makeFolder(path, false);
  }
}
