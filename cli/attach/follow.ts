import { setTimeout as sleep } from "node:timers/promises";
import type { EngineReport, ListeningGateway } from "#gateway";
import type { Logger } from "#runtime";
import { keyFlag } from "../key-flag.ts";
import { engineTable } from "./table.ts";

type AttachedEngines = ListeningGateway["engines"];

/** How long the first table waits for slow engines, in milliseconds. */
const FIRST_TABLE_MS = 5_000;
const POLL_MS = 50;

/**
 * Reports what was found out about the engines, once each has been probed.
 * @param log logs the report, for programs; undefined: prints it
 */
export async function followEngines(
  attached: AttachedEngines,
  place: Place,
  log: Logger | undefined,
): Promise<void> {
  const deadline = performance.now() + FIRST_TABLE_MS;
  let engines = await attached.report();
  while (performance.now() < deadline && engines.some(({ state }) => state === "connecting")) {
    await sleep(POLL_MS, undefined, { ref: false });
    engines = await attached.report();
  }
  if (log !== undefined) {
    const ready = engines.filter(({ state }) => state === "ready").length;
    const message = `Send requests to ${place.url}/v1: ${ready} of ${engines.length} engines are ready.`;
    log.info(message, { url: place.url, engines: engines.map(summary) });
    return;
  }
  const found =
    engines.length === 0
      ? "  There are no engines yet; they join as they are discovered.\n"
      : engineTable(engines);
  process.stdout.write(`\n${found}${hint(engines, place)}\n`);
}

/** An engine's row of the table, for the log. */
function summary({ name, kind, version, state, reason, models, kvEvents, limitations }: EngineReport) {
  return {
    name,
    kind,
    version,
    state,
    reason,
    models: models.map((model) => model.name),
    kvEvents: kvEvents.kind,
    limitations: limitations.map(({ what }) => what),
  };
}

/** The gateway's addresses. */
interface Place {
  readonly url: string;
  /** Serves `/admin` and `/metrics`. */
  readonly adminUrl: string;
  readonly needsKey: boolean;
}

function hint(engines: readonly EngineReport[], { url, adminUrl, needsKey }: Place): string {
  const model = engines.flatMap(({ models }) => models)[0]?.name ?? "MODEL";
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  const key = keyFlag(needsKey);
  return `
  Send requests to ${url}/v1:
    curl ${url}/v1/chat/completions${key} -H 'content-type: application/json' -d '${body}'

  Inspect it: ${url}/health  ${adminUrl}/metrics  ${adminUrl}/v1/router/decisions
  Check it:   stator doctor ${adminUrl}${needsKey ? " --engine-key $ADMIN_KEY" : ""}
  Stop it with Ctrl-C; running answers will finish.
`;
}
