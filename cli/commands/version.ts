import { version } from "#runtime";
import type { Command } from "./command.ts";

export const versionCommand: Command = {
  async run() {
    console.log(`stator ${version} (Node ${process.versions.node})`);
    return 0;
  },
};
