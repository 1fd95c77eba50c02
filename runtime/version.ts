import packageFile from "../package.json" with { type: "json" };

/** Stator's version, from package.json. */
export const version: string = packageFile.version;
