import { constants, existsSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LlamaContextSequence } from "node-llama-cpp";
import { randomId } from "#runtime";
import { KvUnusableError } from "../kv/types.ts";

/** Memory, where the system has a file system for it. */
const FOLDERS = [...(existsSync("/dev/shm") ? ["/dev/shm"] : []), tmpdir()];
/** An open file has a path here even after it has been unlinked. */
const OPEN_FILES = "/proc/self/fd";

/**
 * The state of a sequence in the form in which llama.cpp saves and loads it: a file. On Linux it is in memory, and has no
 * name, so nothing is left of it when the process is killed.
 */
export class StateFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #isNameless: boolean;
  bytes = 0;

  private constructor(handle: FileHandle, path: string, isNameless: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#isNameless = isNameless;
  }

  /**
   * A file with the state that a sequence has now.
   * @param folders where to put it, in order of preference
   * @throws Error if there is no space for it
   */
  static save(
    sequence: Pick<LlamaContextSequence, "saveStateToFile">,
    folders = FOLDERS,
  ): Promise<StateFile> {
    return StateFile.#fill(folders, async (file) => {
      const { fileSize } = await sequence.saveStateToFile(file.#path);
      file.bytes = fileSize;
    });
  }

  /** A file with a state from another process. @throws Error if there is no space for it */
  static create(state: Uint8Array, folders = FOLDERS): Promise<StateFile> {
    return StateFile.#fill(folders, async (file) => {
      await file.#handle.writeFile(state);
      file.bytes = state.length;
    });
  }

  /** Copies the file's content. */
  async read(memory: Uint8Array): Promise<void> {
    for (let at = 0; at < memory.length; ) {
      const { bytesRead } = await this.#handle.read(memory, at, memory.length - at, at);
      if (bytesRead === 0) throw new Error("llama.cpp's state file is shorter than it should be.");
      at += bytesRead;
    }
  }

  /** Gives a sequence this state. After an error, the sequence is empty. */
  async load(sequence: LlamaContextSequence): Promise<void> {
    // The format of KV holds a fingerprint of the model, and `checkState` has checked the head.
    await sequence.loadStateFromFile(this.#path, { acceptRisk: true });
  }

  close(): void {
    if (!this.#isNameless) void unlink(this.#path).catch(() => {});
    void this.#handle.close().catch(() => {});
  }

  /** In containers, /dev/shm is often small, or cannot be written. */
  static async #fill(
    folders: readonly string[],
    fill: (file: StateFile) => Promise<void>,
  ): Promise<StateFile> {
    let failure: unknown;
    for (const folder of folders) {
      const file = await StateFile.#open(folder).catch((error: unknown) => {
        failure = error;
      });
      if (file === undefined) continue;
      try {
        await fill(file);
        return file;
      } catch (error) {
        file.close();
        failure = error;
      }
    }
    throw failure;
  }

  static async #open(folder: string): Promise<StateFile> {
    const path = join(folder, `stator-kv-${randomId()}`);
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    const own = `${OPEN_FILES}/${handle.fd}`;
    const isNameless = existsSync(own);
    if (isNameless) await unlink(path);
    return new StateFile(handle, isNameless ? own : path, isNameless);
  }
}

/** The head of llama.cpp's file of a sequence: "ggsq", a version, the number of tokens, then the tokens. */
const MAGIC = 0x67677371;
const HEAD_WORDS = 3;

/**
 * Checks that a state is that of the prompt's first tokens.
 * @throws KvUnusableError `format` if it is something else
 */
export function checkState(state: Uint8Array, prompt: readonly number[], tokens: number): void {
  const words = HEAD_WORDS + tokens;
  const isLongEnough = state.length >= words * 4;
  const view = new DataView(state.buffer, state.byteOffset, isLongEnough ? words * 4 : 0);
  const word = (index: number) => view.getUint32(index * 4, true);
  if (!isLongEnough || word(0) !== MAGIC || word(2) !== tokens)
    throw new KvUnusableError("format", `The KV is not a state of llama.cpp with ${tokens} tokens.`);
  for (let index = 0; index < tokens; index++)
    if (word(HEAD_WORDS + index) !== prompt[index])
      throw new KvUnusableError("format", "The KV is that of another prompt.");
}
