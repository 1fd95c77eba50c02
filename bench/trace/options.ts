import { parseArgs } from "node:util";
import { asUsage, integer, UsageError } from "../command-line.ts";
import { CONVERSATION_TRACE } from "../trace-file.ts";
import { KNOWN_ROWS } from "./rows.ts";

export interface TraceOptions {
  trace: string;
  /** Numbers of workers, one table for each. */
  workers: readonly number[];
  /** Concurrent copies of the trace; undefined to derive it from the number of workers. */
  copies: number | undefined;
  /** Length of the trace to replay; undefined for all of it, or less with very many workers. */
  minutes: number | undefined;
  /** Rows to show besides round-robin and the oracle; undefined for all. */
  policies: readonly string[] | undefined;
  /** Number of gateways, each of which only knows its own requests. */
  gateways: number;
  /** Weights that override the router's defaults. */
  overlapCredit: number | undefined;
  prefillLoadScale: number | undefined;
  recentPrefillWeight: number | undefined;
  recentPrefillSeconds: number | undefined;
  /** TTL of predictions in approximate mode. */
  predictionSeconds: number;
  ttftSlaMs: number;
  itlSlaMs: number;
  /** Files to write. */
  json: string | undefined;
  svg: string | undefined;
}

export const HELP = `npm run bench:trace -- [OPTIONS]

Replays a production trace in virtual time through the real router core against mock workers, for every policy and an
oracle: a single worker with the speed and memory of all of them. Takes some minutes; progress goes to stderr.
bench/trace/README.md explains the tables.

  --trace FILE              trace in Mooncake's format, gzipped or not (the conversation trace)
  --workers LIST            numbers of workers, one table each (4,16,64,256,1024)
  --policy NAME             only this row besides round-robin and the oracle; repeatable
  --gateways N              number of gateways that get the requests in turn, each knowing only its own (1)
  --multiply N              concurrent copies of the trace (1; beyond 64 workers, one per 64)
  --minutes N               only the trace's first minutes (all; 15 beyond 256 workers)
  --overlap-credit N        weight of the kv policy (the router's default)
  --prefill-load-scale N    weight of the kv policy (the router's default)
  --recent-prefill-weight N  weight of the kv policy (the router's default)
  --recent-prefill-window N  seconds (the router's default)
  --prediction-ttl SECONDS  how long predictions last in approximate mode (600)
  --ttft-sla MS             maximum time to first token of a good request (2000)
  --itl-sla MS              maximum average time between its tokens (50)
  --json FILE               write the figures
  --svg FILE                write a plot
  --help                    print this text
`;

/**
 * Parses the command line; undefined if it asks for help.
 * @throws UsageError with a message for the user
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
  throw new UsageError(`Unknown policy '${name}'; use one of ${KNOWN_ROWS.join("; ")}.`);
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new UsageError(`--${name} must be a number, not '${text}'.`);
  return value;
}
