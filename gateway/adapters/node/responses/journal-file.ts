import { constants, type FileHandle, open, readFile } from "node:fs/promises";

/**
 * Appends an entry to a journal in one write, so that those of several processes do not mix.
 * @param isNew whether the file is created
 * @param isCurrent whether an existing file may still be appended to
 * @returns false if it may not, or does not exist
 */
export async function appendEntry(
  path: string,
  entry: object,
  { isNew, isCurrent = () => true }: { readonly isNew: boolean; isCurrent?(changedMs: number): boolean },
): Promise<boolean> {
  const flags = constants.O_WRONLY | constants.O_APPEND | (isNew ? constants.O_CREAT : 0);
  const opened = await openIfThere(path, flags);
  if (opened === undefined) return false;
  await using file = opened;
  if (!isNew && !isCurrent((await file.stat()).mtimeMs)) return false;
  // A line of its own even if another process was killed within its line.
  const line = Buffer.from(`\n${JSON.stringify(entry)}\n`);
  for (let written = 0; written < line.length; )
    written += (await file.write(line, written, line.length - written)).bytesWritten;
  return true;
}

/** The entries of a journal that are whole; undefined if there is no such file. */
export async function readEntries<Entry>(path: string): Promise<Entry[] | undefined> {
  const text = await readFile(path, "utf8").catch(undefinedIfMissing);
  return text?.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

const openIfThere = (path: string, flags: number): Promise<FileHandle | undefined> =>
  open(path, flags, 0o600).catch(undefinedIfMissing);

function undefinedIfMissing(error: unknown): undefined {
  if (Reflect.get(Object(error), "code") !== "ENOENT") throw error;
}
