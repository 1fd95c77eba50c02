import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";

export interface TraceOptions {
  trace: string;
  /** How many workers, one table for each. */
  workers: readonly number[];
  /** How many copies of the trace run at once; undefined multiplies it where there are many workers. */
  multiply: number | undefined;
  /** Weights to try beside the router's defaults. */
  overlapCredit: number | undefined;
  prefillLoadScale: number | undefined;
  ttftSlaMs: number;
  itlSlaMs: number;
  json: boolean;
}

export const HELP = `npm run bench:trace -- [OPTIONS]

Replays a production trace in virtual time through the real router core against mock workers, for every policy,
beside an oracle: one worker that is as fast and has as much memory as all of them.

  --trace FILE              Mooncake's format, gzipped or not (the conversation trace)
  --workers LIST            one table each (4,16,64)
  --multiply N              copies of the trace at once (1, and one for each 64 workers beyond 64)
  --overlap-credit N        the kv policy's weight (the router's default)
  --prefill-load-scale N    the kv policy's weight (the router's default)
  --ttft-sla MS             a good request's first token within (2000)
  --itl-sla MS              and its tokens no further apart on average (50)
  --json                    one JSON object instead of the tables
  --help                    this text
`;

/**
 * Reads the command line; undefined where it asks for help.
 * @throws UsageError with a sentence for the user
 */
export function readOptions(argv: readonly string[]): TraceOptions | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const optional = (name: string, text: string | undefined) =>
    text === undefined ? undefined : number(name, text);
  return {
    trace: values.trace,
    workers: values.workers.split(",").map((text) => integer("workers", text, 1, 4096)),
    multiply: values.multiply === undefined ? undefined : integer("multiply", values.multiply, 1, 4096),
    overlapCredit: optional("overlap-credit", values["overlap-credit"]),
    prefillLoadScale: optional("prefill-load-scale", values["prefill-load-scale"]),
    ttftSlaMs: number("ttft-sla", values["ttft-sla"]),
    itlSlaMs: number("itl-sla", values["itl-sla"]),
    json: values.json,
  };
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        trace: { type: "string", default: CONVERSATION_TRACE },
        workers: { type: "string", default: "4,16,64" },
        multiply: { type: "string" },
        "overlap-credit": { type: "string" },
        "prefill-load-scale": { type: "string" },
        "ttft-sla": { type: "string", default: "2000" },
        "itl-sla": { type: "string", default: "50" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new UsageError(`--${name} takes a number, not '${text}'.`);
  return value;
}
