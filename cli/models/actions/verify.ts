import { hashFile } from "../gguf-file.ts";
import { expectedChecksum, findPlace, readStored, type StoredModel, storedModels } from "../stored.ts";
import { type ModelsAction, type ModelsContext, printResult } from "./context.ts";

type State = "ok" | "damaged" | "partial" | "unknown";

interface Finding {
  readonly name: string;
  readonly path: string;
  readonly state: State;
  /** What it means and what to do. */
  readonly detail: string;
}

/** Hashes the named models, or all in the folder, and compares with the kept checksums. Needs no network. */
export const verifyModels: ModelsAction = async (context) => {
  const { folder, names, progress } = context;
  const models = names.length === 0 ? await storedModels(folder) : await named(context);
  const findings: Finding[] = [];
  for (const model of models) {
    progress.say(`Verifying ${model.name}…`);
    findings.push(await verify(model));
  }
  const lines = findings.map(({ name, state, detail }) => `${name}: ${state}. ${detail}`);
  printResult(context, findings, lines.join("\n") || `There are no models in ${folder}.`);
  return findings.some(({ state }) => state === "damaged") ? 1 : 0;
};

async function named({ folder, names }: ModelsContext): Promise<StoredModel[]> {
  return Promise.all(
    names.map(async (name) => {
      const place = await findPlace(name, folder);
      const stored = await readStored(place);
      if (stored !== undefined) return stored;
      throw new Error(`${place.name} is not on this machine. Download it: stator models fetch ${name}.`);
    }),
  );
}

async function verify(model: StoredModel): Promise<Finding> {
  const { name, path, bytes, isComplete } = model;
  const source = model.catalogue?.name ?? model.record?.source;
  const finding = (state: State, detail: string) => ({ name, path, state, detail });
  if (!isComplete) {
    const rest = source === undefined ? "" : ` Get the rest: stator models fetch ${source}.`;
    return finding("partial", `Only a part has arrived.${rest}`);
  }
  const expected = expectedChecksum(model);
  if (expected === undefined)
    return finding("unknown", "No checksum is kept for it: an older version, or a person, put it there.");
  const again = `stator models remove ${name}${source === undefined ? "" : ` && stator models fetch ${source}`}`;
  if (bytes !== expected.bytes)
    return finding("damaged", `It has ${bytes} bytes, not ${expected.bytes}. Download it again: ${again}`);
  const sha256 = await hashFile(path);
  if (sha256 !== expected.sha256)
    return finding(
      "damaged",
      `Its SHA-256 is ${sha256}, not ${expected.sha256}. Download it again: ${again}`,
    );
  return finding("ok", `Its SHA-256 is ${sha256}.`);
}
