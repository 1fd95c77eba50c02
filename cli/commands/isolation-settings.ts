import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { ListeningOptions } from "#gateway";
import { messageOf } from "#runtime";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { servingOptions } from "../options/tables.ts";
import { readSecret } from "./secret-file.ts";

type Options = Pick<
  OptionValues<typeof servingOptions>,
  "keys" | "isolate" | "isolation-secret" | "shared-prompts"
>;

type Isolation = NonNullable<ListeningOptions["access"]>["isolation"];

/**
 * Whose cached KV is kept apart, from the flags.
 * @throws UsageError without keys, or if a file cannot be read
 */
export function isolationSettings(options: Options): Isolation {
  const { isolate, keys, "isolation-secret": secret, "shared-prompts": shared } = options;
  if (isolate === "none") {
    const unused =
      secret === undefined ? (shared.length === 0 ? undefined : "shared-prompts") : "isolation-secret";
    if (unused === undefined) return undefined;
    throw new UsageError(`--${unused} needs --isolate key or --isolate group.`);
  }
  if (keys === undefined)
    throw new UsageError(
      `--isolate ${isolate} keeps the caches of API keys apart, and needs --keys FILE: create one with stator keys add NAME --keys keys.yaml.`,
    );
  return {
    by: isolate,
    secret: secret === undefined ? secretOfRun() : readSecret("isolation-secret", secret).toString("latin1"),
    sharedPrompts: shared.map(readPrompt),
  };
}

/** The secret of this run, the same for all its processes. */
let ofRun: string | undefined;

function secretOfRun(): string {
  ofRun ??= randomBytes(32).toString("hex");
  return ofRun;
}

/** The text of a file, without the line break at its end. */
function readPrompt(path: string): string {
  let bytes: Buffer;
  try {
    if (!statSync(path).isFile())
      throw new UsageError(`--shared-prompts: ${path} is no regular file. Name a text file.`);
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--shared-prompts: ${path} cannot be read (${messageOf(error)}).`);
  }
  if (!isUtf8(bytes))
    throw new UsageError(`--shared-prompts: ${path} is not text in UTF-8. Save it as UTF-8.`);
  const text = bytes.toString().replace(/\r?\n$/, "");
  if (text !== "") return text;
  throw new UsageError(`--shared-prompts: ${path} is empty.`);
}
