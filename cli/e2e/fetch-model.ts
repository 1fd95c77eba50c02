import { defaultModelFolder, fetchModel } from "../index.ts";

/** Downloads the default model before all tests, so that no test waits for it. */
export default async function setup(): Promise<void> {
  await fetchModel(undefined, { folder: defaultModelFolder() });
}
