import { choice, number, text } from "../spec.ts";

/** Options of every command. */
export const common = {
  config: text({
    describe: "YAML file with options; 'none' reads none. Default: stator.yaml, if there is one.",
    placeholder: "FILE",
  }),
  "log-level": choice(["error", "warn", "info", "debug"], {
    describe: "Log level; debug logs each routing decision.",
    default: "info",
  }),
  "log-format": choice(["text", "json"], {
    describe: "Format of the log: text for people, json for programs.",
    default: "text",
  }),
  "drain-timeout": number({
    describe: "Seconds that running requests get to finish after a stop.",
    default: 30,
    min: 0,
    max: 3600,
    int: false,
  }),
  "drain-within": number({
    describe: "Seconds after which answers still running on a leaving worker or engine move to another.",
    default: 5,
    min: 0,
    max: 3600,
    int: false,
  }),
};

/** How a gateway stops. */
export const stopping = {
  "drain-delay": number({
    describe:
      "Seconds after SIGTERM during which the port stays open with /health at 503, so that load balancers notice.",
    default: 1,
    min: 0,
    max: 3600,
    int: false,
  }),
};
