import { readFileSync } from "node:fs";

const packageFile: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** Stator's version, from package.json. */
export const version = String(Reflect.get(Object(packageFile), "version"));
