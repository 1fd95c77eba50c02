import { defaultModelFolder, fetchModel } from "../index.ts";

/** Before all tests: the default model is on this machine, so that no test's time goes into its download. */
export default async function setup(): Promise<void> {
  await fetchModel(undefined, { folder: defaultModelFolder() });
}
