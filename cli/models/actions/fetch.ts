import { messageOf } from "#runtime";
import { byteText } from "../byte-text.ts";
import { fetchModel } from "../index.ts";
import { findPlace, readStored } from "../stored.ts";
import { type ModelsAction, type ModelsContext, printResult } from "./context.ts";
import { describeStored } from "./describe.ts";

/** Downloads the named models, one after the other. */
export const fetchModels: ModelsAction = async (context) => {
  const results: { name: string; error?: string }[] = [];
  for (const name of context.names) {
    try {
      results.push(await fetchOne(name, context));
    } catch (error) {
      results.push({ name, error: messageOf(error) });
    }
  }
  const failed = results.filter(({ error }) => error !== undefined);
  printResult(
    context,
    results,
    results.map(({ name, error }) => error ?? `${name} is on this machine.`).join("\n"),
  );
  return failed.length > 0 ? 1 : 0;
};

async function fetchOne(name: string, { folder, progress }: ModelsContext) {
  const { path, name: apiName } = await fetchModel(name, { folder, progress });
  const stored = await readStored(
    await findPlace(name, folder).catch(() => ({ name: apiName, path, catalogue: undefined })),
  );
  if (stored === undefined) throw new Error(`${path} has disappeared. Try again.`);
  progress.say(`${apiName}: ${path} (${byteText(stored.bytes)})`);
  return { name: apiName, ...describeStored(stored) };
}
