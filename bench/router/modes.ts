import { writeFileSync } from "node:fs";
import { showProgress } from "../command-line.ts";
import { churn, formatChurn } from "./churn.ts";
import { formatEvents, measureEvents } from "./events.ts";
import type { Mode, RouterBenchOptions } from "./options.ts";
import { formatPauses, measurePauses } from "./pauses.ts";
import { formatSweep, plotSweep, SWEEP_BLOCKS, sweep } from "./sweep.ts";
import { formatTokens, measureTokens } from "./tokens.ts";
import { readTrace } from "./trace.ts";

interface Outcome {
  /** For `--json`. */
  figures: unknown;
  text: string;
}

/** Runs a measurement other than the comparison with the peers. */
export async function runMode(mode: Mode, options: RouterBenchOptions): Promise<void> {
  const { figures, text } = await MODES[mode](options);
  showProgress("");
  process.stdout.write(options.json ? `${JSON.stringify(figures)}\n` : text);
}

const MODES: Record<Mode, (options: RouterBenchOptions) => Outcome | Promise<Outcome>> = {
  sweep: ({ trace, svg }) => {
    const cells = sweep(readTrace(trace), SWEEP_BLOCKS, showProgress);
    if (svg !== undefined) writeFileSync(svg, plotSweep(cells));
    return { figures: cells, text: formatSweep(cells) };
  },
  tokens: ({ trace }) => {
    const rows = measureTokens(readTrace(trace));
    return { figures: rows, text: formatTokens(rows) };
  },
  pauses: ({ trace }) => {
    const pauses = measurePauses(readTrace(trace));
    return { figures: pauses, text: formatPauses(pauses) };
  },
  churn: ({ blockEvents }) => {
    const figures = churn(blockEvents, showProgress);
    return { figures, text: formatChurn(figures) };
  },
  events: async ({ peers }) => {
    const tables = await measureEvents(peers);
    return { figures: Object.fromEntries(tables), text: formatEvents(tables) };
  },
};
