import { appendFile, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, randomId } from "#runtime";
import { isKept } from "../../api/responses/items.ts";
import type { ResponseLog, ResponseStore, StoredResponse } from "../../api/responses/store.ts";

/** How often the files of a response that is being made are looked at, in milliseconds. */
const LOOK_MS = 25;
/** How often its maker shows that it lives, and after how long without that it counts as dead, in milliseconds. */
const BEAT_MS = 2_000;
const DEAD_MS = 15_000;

/** The last line of a log. */
const END = "null";

/**
 * Keeps each response in a file, and the events of those in the background in another, which every gateway that uses the
 * folder can read. Nothing removes old ones.
 */
export class ResponsesFolder implements ResponseStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(stored: StoredResponse): Promise<void> {
    const temporary = join(await this.#made(), `.${randomId()}`);
    await writeFile(temporary, JSON.stringify(stored), { mode: 0o600 });
    await rename(temporary, this.#file(stored.response.id, "json"));
  }

  async get(id: string): Promise<StoredResponse | undefined> {
    if (!isKept(id)) return undefined;
    const text = await readIfThere(this.#file(id, "json"), id);
    if (text === undefined) return undefined;
    const stored: StoredResponse = JSON.parse(text);
    if (stored.response.status !== "in_progress" || (await this.#isAlive(id))) return stored;
    const error = { code: "server_error", message: "The gateway that made this response has ended." };
    return { ...stored, response: { ...stored.response, status: "failed", error } };
  }

  async delete(id: string): Promise<void> {
    if (!isKept(id)) return;
    await this.cancel(id);
    for (const kind of ["json", "events"] as const) await rm(this.#file(id, kind), { force: true });
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
    if (!isKept(id)) return undefined;
    const lines = linesOf(this.#file(id, "events"), signal, () => this.#isAlive(id));
    const { value } = await lines.next();
    if (value === JSON.stringify(owner)) return eventsIn(lines, from);
    await lines.return(undefined);
    return undefined;
  }

  async cancel(id: string): Promise<void> {
    if (!isKept(id) || !(await this.#isAlive(id))) return;
    await writeFile(this.#file(id, "cancel"), "", { mode: 0o600 });
  }

  /** Whether somebody is making the response. */
  async #isAlive(id: string): Promise<boolean> {
    const file = await stat(this.#file(id, "events")).catch(() => undefined);
    return file !== undefined && Date.now() - file.mtimeMs < DEAD_MS;
  }

  /** Only this user may read what clients have said. */
  async #made(): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return this.#folder;
  }

  #file(id: string, kind: "json" | "events" | "cancel"): string {
    return join(this.#folder, `${id}.${kind}`);
  }
}

/** Appends events to a file: a line of JSON each, after the first one, which names the owner. */
class LogFile implements ResponseLog {
  readonly #path: string;
  readonly #cancelPath: string;
  readonly #cancelling = new AbortController();
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #look: ReturnType<typeof setInterval>;
  /** What is to be written next. */
  #lines = "";
  #writing: Promise<void> | undefined;

  constructor(path: string, cancelPath: string) {
    this.#path = path;
    this.#cancelPath = cancelPath;
    this.#beat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {});
    }, BEAT_MS).unref();
    this.#look = setInterval(() => {
      stat(cancelPath).then(
        () => this.#cancelling.abort(),
        () => {},
      );
    }, 4 * LOOK_MS).unref();
  }

  get cancelled(): AbortSignal {
    return this.#cancelling.signal;
  }

  append(event: string): void {
    this.#lines += `${JSON.stringify(event)}\n`;
    this.#writing ??= this.#write();
  }

  async end(): Promise<void> {
    clearInterval(this.#beat);
    clearInterval(this.#look);
    this.#lines += `${END}\n`;
    this.#writing ??= this.#write();
    await this.#writing;
    await rm(this.#cancelPath, { force: true });
  }

  async #write(): Promise<void> {
    while (this.#lines !== "") {
      const lines = this.#lines;
      this.#lines = "";
      await appendFile(this.#path, lines);
    }
    this.#writing = undefined;
  }
}

async function* eventsIn(lines: AsyncIterable<string>, from: number): AsyncGenerator<string> {
  let number = 0;
  for await (const line of lines) {
    if (line === END) return;
    if (number++ >= from) yield JSON.parse(line);
  }
}

/** The lines of a file, as they are appended; none if it does not exist. */
async function* linesOf(
  path: string,
  signal: AbortSignal,
  isAlive: () => Promise<boolean>,
): AsyncGenerator<string, undefined> {
  const opened = await open(path).catch(() => undefined);
  if (opened === undefined) return;
  await using file = opened;
  const buffer = Buffer.alloc(64 * 1024);
  const decoder = new TextDecoder();
  let rest = "";
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) {
      if (!(await isAlive())) return;
      await sleep(LOOK_MS);
      continue;
    }
    const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

async function readIfThere(path: string, id: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (Reflect.get(Object(error), "code") === "ENOENT") return undefined;
    throw new Error(`Cannot read the response ${id}: ${messageOf(error)}`, { cause: error });
  }
}
