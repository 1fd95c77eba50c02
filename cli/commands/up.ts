import { readOptions, UsageError } from "../options/read.ts";
import { upOptions } from "../options/tables.ts";
import { logged } from "../service.ts";
import { up } from "../up/up.ts";
import type { Command } from "./command.ts";
import { eventsUrl } from "./events-settings.ts";
import { checkFaults } from "./fault-settings.ts";
import { modelNames } from "./name-settings.ts";

const LAST_PORT = 65_535;

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
    // A cluster has a NATS server of its own.
    if (!options.cluster || options.events !== "nats:") eventsUrl(options, "--cluster");
    if (options.cluster && options.port === LAST_PORT)
      throw new UsageError(
        `--cluster also takes the port after --port, and there is none after ${LAST_PORT}. Choose another: --port 8000.`,
      );
    return logged("stator", options, () => up(options));
  },
};
