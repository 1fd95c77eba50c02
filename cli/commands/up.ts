import { readOptions, UsageError } from "../options/read.ts";
import { upOptions } from "../options/tables.ts";
import { logged } from "../service.ts";
import { up } from "../up/up.ts";
import type { Command } from "./command.ts";
import { checkEvents } from "./events-settings.ts";
import { checkFaults } from "./fault-settings.ts";
import { modelNames } from "./name-settings.ts";

export const upCommand: Command = {
  async run(argv) {
    const { options, positionals } = readOptions(upOptions, argv, process.env);
    if (positionals.length > 0) {
      throw new UsageError(
        `Unexpected argument '${positionals[0]}'. To set the model, use --model ${positionals[0]}.`,
      );
    }
    checkFaults(options.fault);
    modelNames(options);
    checkEvents(options.events);
    return logged("stator", options, () => up(options));
  },
};
