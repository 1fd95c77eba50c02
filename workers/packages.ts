import { createRequire } from "node:module";
import { join } from "node:path";
import { importModule } from "./load-module.ts";

/** A package that an engine needs and that is too large to be one of Stator's own. */
export interface NeededPackage {
  /** On npm, with the version that the engine is tested with. */
  readonly name: string;
  readonly version: string;
  /** What the engine does with it, for messages, such as `The ocr engine decodes pictures with sharp`. */
  readonly use: string;
}

/** A module of unknown form, and where it is. */
export interface FoundPackage {
  readonly path: string;
  readonly module: Readonly<Record<string, unknown>>;
}

/**
 * Imports a package from where Stator's own packages are, the working directory, or the model's folder.
 * @throws Error that says how to install it
 */
export async function importPackage(needed: NeededPackage, modelFolder: string): Promise<FoundPackage> {
  const path = findPackage(needed.name, modelFolder);
  if (path !== undefined) return { path, module: await importModule(path) };
  const install = `npm install --prefix ${modelFolder} --ignore-scripts ${needed.name}@${needed.version}`;
  throw new Error(`${needed.use}, which is not installed. Run: ${install}`);
}

/** The path of a package where Stator's own are, in the working directory, or beside a model; undefined if it is nowhere. */
export function findPackage(name: string, modelFolder: string): string | undefined {
  for (const folder of [import.meta.dirname, process.cwd(), modelFolder]) {
    try {
      return createRequire(join(folder, "package.json")).resolve(name);
    } catch {
      // It may be in the next one.
    }
  }
  return undefined;
}
