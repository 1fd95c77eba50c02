import { setTimeout as sleep } from "node:timers/promises";
import type { EngineReport, ListeningGateway } from "#gateway";
import { engineTable } from "./table.ts";

type AttachedModels = ListeningGateway["models"]["attached"];

/** How long the first table waits for engines that are slow to answer, in milliseconds. */
const FIRST_TABLE_MS = 5_000;
const STEP_MS = 50;

/** Prints what was found out about the engines, as soon as each has been looked at. */
export async function followEngines(attached: AttachedModels, place: Place): Promise<void> {
  const deadline = performance.now() + FIRST_TABLE_MS;
  let engines = await attached.report();
  while (performance.now() < deadline && engines.some(({ state }) => state === "connecting")) {
    await sleep(STEP_MS, undefined, { ref: false });
    engines = await attached.report();
  }
  const found =
    engines.length === 0 ? "  There are no engines yet; they join as they come.\n" : engineTable(engines);
  process.stdout.write(`\n${found}${hint(engines, place)}\n`);
}

/** Where the gateway is reached. */
interface Place {
  readonly url: string;
  /** Where `/admin` and `/metrics` are. */
  readonly adminUrl: string;
  readonly needsKey: boolean;
}

function hint(engines: readonly EngineReport[], { url, adminUrl, needsKey }: Place): string {
  const model = engines.flatMap(({ models }) => models)[0]?.name ?? "MODEL";
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  const key = needsKey ? ` -H "authorization: Bearer $KEY"` : "";
  return `
  Ask them at ${url}/v1:
    curl ${url}/v1/chat/completions${key} -H 'content-type: application/json' -d '${body}'

  Look at it: ${url}/health  ${adminUrl}/metrics  ${adminUrl}/v1/router/decisions
  Check it:   stator doctor ${adminUrl}${needsKey ? " --engine-key $ADMIN_KEY" : ""}
  Stop it with Ctrl-C; running answers may finish.
`;
}
