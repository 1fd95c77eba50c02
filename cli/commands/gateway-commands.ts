import type { Commands } from "./usage.ts";

/** Commands that need no engine of their own: all that the one-file executable has. */
export const gatewayCommands = {
  attach: {
    summary: "Serve engines that already run (vLLM, SGLang, …) at one KV-aware address.",
    load: async () => (await import("./attach.ts")).attachCommand,
  },
  doctor: {
    summary: "Prove that engines can be routed to by what their caches hold, or say what is wrong.",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  acceptor: {
    summary: undefined,
    load: async () => (await import("./acceptor.ts")).acceptorCommand,
  },
  gateway: {
    summary: "Run a gateway for workers that discovery finds.",
    load: async () => (await import("./gateway.ts")).gatewayCommand,
  },
  keys: {
    summary: "Make, list, change and revoke the API keys of a gateway.",
    load: async () => (await import("./keys.ts")).keysCommand,
  },
  version: {
    summary: "Print Stator's version.",
    load: async () => (await import("./version.ts")).versionCommand,
  },
} satisfies Commands;
