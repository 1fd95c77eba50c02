import { readOptions, UsageError } from "../options/read.ts";
import { upOptions } from "../options/tables.ts";
import { logged } from "../service.ts";
import { up } from "../up/up.ts";
import type { Command } from "./command.ts";
import { checkFaults } from "./fault-settings.ts";

export const upCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(upOptions, argv, process.env);
    if (positionals.length > 0) {
      throw new UsageError(
        `'${positionals[0]}' is not understood; a model is given as --model ${positionals[0]}.`,
      );
    }
    checkFaults(options.fault);
    return logged("stator", options, () => up(options));
  },
};
