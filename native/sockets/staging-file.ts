/**
 * A file in shared memory through which two processes pass memory content, in slots: one writes a slot, the other reads
 * it. Both have it open, and its name is removed at once, so that it ends with them however they end.
 */
import { randomBytes } from "node:crypto";
import { constants, readdirSync, readlinkSync, readv, rmSync, writev } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TransferError } from "../errors.ts";
import { SHARED_MEMORY_FOLDER } from "../host.ts";

/** Bytes of a slot, and their number. Few enough to stay in the processor's cache. */
export const SLOT_BYTES = 2 ** 20;
export const SLOTS = 4;

const PREFIX = "stator-kv-";

export class StagingFile {
  readonly path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async create(): Promise<StagingFile> {
    const name = `${PREFIX}${pidNamespace()}-${process.pid}-${randomBytes(16).toString("hex")}`;
    const path = join(SHARED_MEMORY_FOLDER, name);
    const file = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    await file.truncate(SLOT_BYTES * SLOTS);
    return new StagingFile(path, file);
  }

  /** Opens a peer's file. @throws TransferError `refused` for any other file */
  static async open(path: string): Promise<StagingFile> {
    const refused = (cause?: unknown) =>
      new TransferError("refused", "The peer's staging file is not acceptable.", { cause });
    if (resolve(path) !== path || !path.startsWith(join(SHARED_MEMORY_FOLDER, PREFIX))) throw refused();
    let file: FileHandle | undefined;
    try {
      file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
      const { mode, size, uid } = await file.stat();
      if ((mode & constants.S_IFMT) !== constants.S_IFREG || (mode & 0o077) !== 0) throw refused();
      if (size !== SLOT_BYTES * SLOTS || uid !== process.geteuid!()) throw refused();
      return new StagingFile(path, file);
    } catch (error) {
      await file?.close();
      throw error instanceof TransferError ? error : refused(error);
    }
  }

  /** Once both sides have it open. */
  removeName(): void {
    rmSync(this.path, { force: true });
  }

  /** Copies buffers to a slot. */
  write(slot: number, buffers: readonly Buffer[]): Promise<void> {
    return this.#move(writev, slot, buffers);
  }

  /** Fills buffers from a slot. */
  read(slot: number, buffers: readonly Buffer[]): Promise<void> {
    return this.#move(readv, slot, buffers);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #move(how: typeof readv | typeof writev, slot: number, buffers: readonly Buffer[]): Promise<void> {
    const total = buffers.reduce((sum, { length }) => sum + length, 0);
    if (slot >= SLOTS || total > SLOT_BYTES)
      return Promise.reject(new TransferError("invalid", "The request does not fit a slot."));
    return new Promise((resolve, reject) => {
      how(this.#file.fd, [...buffers], slot * SLOT_BYTES, (error, moved) => {
        if (error !== null) reject(new TransferError("failed", error.message, { cause: error }));
        else if (moved !== total) reject(new TransferError("failed", "The staging file is too short."));
        else resolve();
      });
    });
  }
}

/** Removes files of processes that died between creating a file and removing its name. */
export function removeStaleStagingFiles(): void {
  const own = `${PREFIX}${pidNamespace()}-`;
  for (const name of readdirSync(SHARED_MEMORY_FOLDER)) {
    if (name.startsWith(own) && !isAlive(Number(name.slice(own.length).split("-")[0])))
      rmSync(join(SHARED_MEMORY_FOLDER, name), { force: true });
  }
}

/** Process ids mean something only within their namespace. */
const pidNamespace = (): string => /\d+/.exec(readlinkSync("/proc/self/ns/pid"))![0];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
