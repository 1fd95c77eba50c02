/**
 * Reads files that must be there, where there are files at all.
 * @returns undefined on runtimes without them; else throws Error for a file that there is not
 */
export function requiredFiles(
  files: { readTextFile(path: string): Promise<string | undefined> } | undefined,
): ((path: string) => Promise<string>) | undefined {
  if (files === undefined) return undefined;
  return async (path) => {
    const text = await files.readTextFile(path);
    if (text === undefined) throw new Error(`There is no file ${path}.`);
    return text;
  };
}
