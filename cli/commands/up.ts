import { readOptions, UsageError } from "../options/read.ts";
import { upOptions } from "../options/tables.ts";
import { up } from "../up/up.ts";
import { type Command, commandHelp } from "./command.ts";

export const upCommand: Command = {
  help: () =>
    commandHelp(
      "up [OPTIONS]",
      "Starts one gateway and its workers as child processes, and stops them together. Needs no GPU and no\nother server. From a checkout: npm start -- [OPTIONS].",
      upOptions,
    ),
  async run(argv) {
    const { options, positionals } = readOptions(upOptions, argv, process.env);
    if (positionals.length > 0) {
      throw new UsageError(
        `'${positionals[0]}' is not understood; a model is given as --model ${positionals[0]}.`,
      );
    }
    return up(options);
  },
};
