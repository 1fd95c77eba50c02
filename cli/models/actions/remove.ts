import { lstat, rm } from "node:fs/promises";
import { nearest } from "#runtime";
import { withFileLock } from "../../file-lock.ts";
import { byteText } from "../byte-text.ts";
import { recordPath } from "../file-record.ts";
import { processesUsing } from "../in-use.ts";
import { findPlace, type Place, readStored, storedModels } from "../stored.ts";
import { type ModelsAction, type ModelsContext, printResult } from "./context.ts";

/** Removes the named models from the model folder: all, or none if one cannot be removed. */
export const removeModels: ModelsAction = async (context) => {
  const places = await Promise.all(context.names.map((name) => removable(name, context)));
  const removed: { name: string; path: string; bytes: number }[] = [];
  for (const { name, path } of places) removed.push({ name, path, bytes: await remove(path, context) });
  const total = removed.reduce((sum, { bytes }) => sum + bytes, 0);
  const lines = removed.map(
    ({ name, bytes }) => `Removed ${name}: ${bytes.toLocaleString("en")} bytes freed.`,
  );
  if (removed.length > 1) lines.push(`${byteText(total)} freed in all.`);
  printResult(context, removed, lines.join("\n"));
  return 0;
};

/** @throws Error if the model is not in the folder, or a running process uses it */
async function removable(name: string, { folder }: ModelsContext): Promise<Place> {
  const place = await findPlace(name, folder);
  if ((await readStored(place)) === undefined) {
    const here = (await storedModels(folder)).map((model) => model.name);
    const similar = nearest(name, here);
    const hint = similar === undefined ? "'stator models' lists what is." : `Did you mean '${similar}'?`;
    throw new Error(`${place.name} is not in ${folder}. ${hint}`);
  }
  const users = await processesUsing(place.path);
  if (users.length > 0)
    throw new Error(
      `${place.name} is in use by process ${users.join(" and ")}. Stop that worker first, then remove the model.`,
    );
  return place;
}

/** Removes the file with what belongs to it. @returns the bytes freed */
async function remove(path: string, { progress }: ModelsContext): Promise<number> {
  return withFileLock(
    `${path}.lock`,
    () => progress.say("Another process is downloading this model; waiting for it."),
    async () => {
      const parts = [path, `${path}.partial`, `${path}.partial.json`, recordPath(path)];
      const sizes = await Promise.all(
        parts.map(async (part) => (await lstat(part).catch(() => undefined))?.size ?? 0),
      );
      await Promise.all(parts.map((part) => rm(part, { force: true })));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
  );
}
