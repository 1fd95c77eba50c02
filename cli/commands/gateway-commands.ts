import type { Commands } from "./usage.ts";

/** Commands that run no engine: the only ones in the executable. */
export const gatewayCommands = {
  attach: {
    summary: "Serve running engines (vLLM, SGLang, …) at one KV-aware address.",
    load: async () => (await import("./attach.ts")).attachCommand,
  },
  doctor: {
    summary: "Prove that KV-aware routing works with these engines, or say what is wrong.",
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
    summary: "Create, list, rotate and revoke the API keys of a gateway.",
    load: async () => (await import("./keys.ts")).keysCommand,
  },
  version: {
    summary: "Print Stator's version.",
    load: async () => (await import("./version.ts")).versionCommand,
  },
} satisfies Commands;
