import { spawnSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { messageOf } from "#runtime";

/**
 * Imports a third-party module.
 * @param path absolute
 * @throws Error whose message names file and line, if the module has an error or throws
 */
export async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw located(error, path);
  }
}

/** The error, with the file and line in the module, or in code it called, in its message. */
export function located(error: unknown, path: string): Error {
  const message = messageOf(error);
  const place = placeOf(error, path);
  return new Error(`${place}: ${message}`, { cause: error });
}

function placeOf(error: unknown, path: string): string {
  const { stack = "" } = error instanceof Error ? error : {};
  // Node prints the location of a syntax error first; V8's own frames follow the message.
  const first = PLACE.exec(stack.split("\n", 1)[0]!) ?? undefined;
  const frames = [...stack.matchAll(FRAME)];
  const own = frames.find(([, file]) => toPath(file!) === path);
  const [, file, line] = first ?? own ?? frames[0] ?? [];
  if (file !== undefined) return `${toPath(file)}:${line}`;
  return error instanceof SyntaxError ? checkedPlace(path) : path;
}

const PLACE = /^(file:.+|\/.+):(\d+)$/;
const FRAME = /^ +at (?:.+\()?(?:async )?(file:.+):(\d+):\d+\)?$/gm;

const toPath = (file: string) => (file.startsWith("file:") ? fileURLToPath(file) : file);

/** Node reveals the location of a syntax error in JavaScript only in its output. */
function checkedPlace(path: string): string {
  const { stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8" });
  const [, file, line] = PLACE.exec(stderr.split("\n", 1)[0]!) ?? [];
  return file === undefined ? path : `${toPath(file)}:${line}`;
}
