import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";
import { KNOWN_ROWS } from "./rows.ts";

export interface TraceOptions {
  trace: string;
  /** How many workers, one table for each. */
  workers: readonly number[];
  /** How many copies of the trace run at once; undefined multiplies it where there are many workers. */
  copies: number | undefined;
  /** How much of the trace's beginning; undefined is all of it, or less where there are very many workers. */
  minutes: number | undefined;
  /** Rows to show, beside round-robin and the oracle; undefined shows all. */
  policies: readonly string[] | undefined;
  /** Gateways, each of which knows of its own requests alone. */
  gateways: number;
  /** Weights to try beside the router's defaults. */
  overlapCredit: number | undefined;
  prefillLoadScale: number | undefined;
  recentPrefillWeight: number | undefined;
  recentPrefillSeconds: number | undefined;
  /** Approximate mode's. */
  predictionSeconds: number;
  ttftSlaMs: number;
  itlSlaMs: number;
  /** Files to write. */
  json: string | undefined;
  svg: string | undefined;
}

export const HELP = `npm run bench:trace -- [OPTIONS]

Replays a production trace in virtual time through the real router core against mock workers, for every policy,
beside an oracle: one worker that is as fast and has as much memory as all of them. Takes some minutes; progress goes
to stderr. bench/trace/README.md explains the tables.

  --trace FILE              Mooncake's format, gzipped or not (the conversation trace)
  --workers LIST            one table each (4,16,64,256,1024)
  --policy NAME             only this row, beside round-robin and the oracle; may be given several times
  --gateways N              so many gateways take the requests in turn, each knowing of its own alone (1)
  --multiply N              copies of the trace at once (1, and one for each 64 workers beyond 64)
  --minutes N               only the trace's first minutes (all; 15 beyond 256 workers)
  --overlap-credit N        the kv policy's weight (the router's default)
  --prefill-load-scale N    the kv policy's weight (the router's default)
  --recent-prefill-weight N  the kv policy's weight (the router's default)
  --recent-prefill-window N  seconds (the router's default)
  --prediction-ttl SECONDS  how long approximate mode believes what it predicts (600)
  --ttft-sla MS             a good request's first token within (2000)
  --itl-sla MS              and its tokens no further apart on average (50)
  --json FILE               write the figures
  --svg FILE                write a plot
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
    policies: values.policy?.map(rowOf),
    gateways: integer("gateways", values.gateways, 1, 64),
    copies: values.multiply === undefined ? undefined : integer("multiply", values.multiply, 1, 4096),
    minutes: optional("minutes", values.minutes),
    overlapCredit: optional("overlap-credit", values["overlap-credit"]),
    prefillLoadScale: optional("prefill-load-scale", values["prefill-load-scale"]),
    recentPrefillWeight: optional("recent-prefill-weight", values["recent-prefill-weight"]),
    recentPrefillSeconds: optional("recent-prefill-window", values["recent-prefill-window"]),
    predictionSeconds: number("prediction-ttl", values["prediction-ttl"]),
    ttftSlaMs: number("ttft-sla", values["ttft-sla"]),
    itlSlaMs: number("itl-sla", values["itl-sla"]),
    json: values.json,
    svg: values.svg,
  };
}

function parse(argv: readonly string[]) {
  return asUsage(() =>
    parseArgs({
      args: [...argv],
      options: {
        trace: { type: "string", default: CONVERSATION_TRACE },
        workers: { type: "string", default: "4,16,64,256,1024" },
        policy: { type: "string", multiple: true },
        gateways: { type: "string", default: "1" },
        multiply: { type: "string" },
        minutes: { type: "string" },
        "overlap-credit": { type: "string" },
        "prefill-load-scale": { type: "string" },
        "recent-prefill-weight": { type: "string" },
        "recent-prefill-window": { type: "string" },
        "prediction-ttl": { type: "string", default: "600" },
        "ttft-sla": { type: "string", default: "2000" },
        "itl-sla": { type: "string", default: "50" },
        json: { type: "string" },
        svg: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }),
  ).values;
}

function rowOf(name: string): string {
  if (KNOWN_ROWS.includes(name)) return name;
  throw new UsageError(`There is no policy '${name}'; known are ${KNOWN_ROWS.join("; ")}.`);
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new UsageError(`--${name} takes a number, not '${text}'.`);
  return value;
}
