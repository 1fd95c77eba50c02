import { readOptions, UsageError } from "../options/read.ts";
import { type UpOptions, upOptions } from "../options/tables.ts";
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
    if (options.cluster) checkPorts(options);
    return logged("stator", options, () => up(options));
  },
};

/** A cluster's second gateway takes the ports after those of the first. @throws UsageError if they cannot be had */
function checkPorts({ port, "admin-port": adminPort = 0 }: UpOptions): void {
  for (const [name, first] of [
    ["port", port],
    ["admin-port", adminPort],
  ] as const)
    if (first === LAST_PORT)
      throw new UsageError(
        `--cluster also takes the port after --${name}, and there is none after ${LAST_PORT}. Choose another: --${name} 8000.`,
      );
  if (port > 0 && adminPort > 0 && Math.abs(port - adminPort) < 2)
    throw new UsageError(
      `--cluster also takes the ports after --port and --admin-port: ${adminPort} is too near to ${port}. Choose --admin-port ${port < LAST_PORT - 3 ? port + 2 : port - 2}.`,
    );
}
