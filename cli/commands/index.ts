import { gatewayCommands } from "./gateway-commands.ts";
import type { Commands } from "./usage.ts";

const { version, ...forGateways } = gatewayCommands;

/** All commands. */
export const commands: Commands = {
  up: {
    summary: "Start everything on this machine: a gateway, a router and workers with a model.",
    load: async () => (await import("./up.ts")).upCommand,
  },
  ...forGateways,
  worker: {
    summary: "Run one worker: an engine, which gateways find through discovery.",
    load: async () => (await import("./worker.ts")).workerCommand,
  },
  models: {
    summary: "List, download, verify and remove models by name, such as qwen3:0.6b.",
    load: async () => (await import("./models.ts")).modelsCommand,
  },
  version,
};
