import { messageOf } from "#runtime";
import { type IsolationClient, type Question, RefusedError, TESTED_APIS } from "./isolation-client.ts";
import { type Finding, note, ok, type Report, reportOf, type Subject, wrong } from "./text.ts";

/** Two API keys whose requests must not share cached prompts. */
export type TwoKeys = readonly [string, string];

/**
 * Shows, for each worker and engine of a gateway and for each API, whether a key can tell from cached tokens what
 * another has asked: one key sends a prompt twice, then the other sends it to the same worker.
 */
export async function diagnoseIsolation(client: IsolationClient, keys: TwoKeys): Promise<Report> {
  try {
    const [mine, theirs] = await Promise.all(keys.map((key) => client.models(key)));
    const places = mine!
      .filter(({ name }) => theirs!.some((model) => model.name === name))
      .flatMap(({ name: model, workers }) => workers.map((worker) => ({ model, worker })));
    if (places.length === 0) return reportOf([{ name: "gateway", checks: [NO_MODEL] }]);
    const subjects = await Promise.all(
      places.map(async (place) => {
        return {
          name: `${place.model} on ${place.worker}`,
          checks: await examineWorker(client, keys, place),
        };
      }),
    );
    return reportOf(withoutRepeats(subjects));
  } catch (error) {
    const fix = "Give the gateway's address, and two keys of its own that may use the same model.";
    const check = wrong(messageOf(error), "Not everything could be examined.", fix);
    return reportOf([{ name: "gateway", checks: [check] }]);
  }
}

/** The cost and the fix of a problem are said once. */
function withoutRepeats(subjects: readonly Subject[]): Subject[] {
  const said = new Set<string | undefined>();
  return subjects.map(({ name, checks }) => ({
    name,
    checks: checks.map((check): Finding => {
      if (!said.has(check.fix)) {
        said.add(check.fix);
        return check;
      }
      const { status, text } = check;
      return { status, text };
    }),
  }));
}

export const isolationSummary =
  "All is well: neither key can tell from cached tokens what the other has asked.";

const NO_MODEL = wrong(
  "The keys have no model in common that is ready.",
  "Nothing could be examined.",
  "Give two keys that may use the same model, and wait until it is ready.",
);

type Place = Pick<Question, "model" | "worker">;

async function examineWorker(client: IsolationClient, keys: TwoKeys, place: Place): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const api of TESTED_APIS) {
    try {
      findings.push(await compare(client, keys, { ...place, api }));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      findings.push({ status: "skipped", text: `${api}: it was refused (${error.message})` });
    }
  }
  return findings.some(({ status }) => status !== "skipped")
    ? findings.filter(({ status }) => status !== "skipped")
    : findings;
}

async function compare(
  client: IsolationClient,
  [one, other]: TwoKeys,
  place: Place & Pick<Question, "api">,
): Promise<Finding> {
  const { api } = place;
  const prompt = testPrompt();
  const ask = (key: string, prompt: string, salt?: string) => client.ask({ ...place, key, prompt, salt });
  await ask(one, prompt);
  const { cachedTokens: own, promptTokens } = await ask(one, prompt);
  const { cachedTokens: seen } = await ask(other, prompt);
  // A salt of their own would let two clients share a cache.
  const salted = testPrompt();
  const salt = crypto.randomUUID();
  await ask(one, salted, salt);
  const { cachedTokens: seenBySalt } = await ask(other, salted, salt);
  if (own === undefined || seen === undefined || seenBySalt === undefined)
    return note(`${api}: answers do not tell how much of a prompt was cached, so nothing could be compared.`);
  const most = Math.max(seen, seenBySalt);
  if (most > 0)
    return wrong(
      `${api}: of a prompt of ${promptTokens} tokens that one key had sent, the other key's request reused ${most}${seen > 0 ? "" : " when both asked for the same salt"}.`,
      "Whoever has a key can find out what others have asked.",
      "Start the gateway with --isolate key (keys of one group share caches with --isolate group). If it has that, the engine ignores salts: update it.",
    );
  if (own === 0)
    return note(
      `${api}: not even the key that had sent a prompt reused any of it, so nothing is shared at all.`,
    );
  return ok(
    `${api}: of a prompt of ${promptTokens} tokens, the key that had sent it reused ${own}, the other none.`,
  );
}

/** Some 3,000 characters that begin with random ones: several blocks of any engine, which none has cached. */
function testPrompt(): string {
  const sentence = "The lighthouse keeper counts the ships that pass in the night and writes each one down. ";
  return `Log ${crypto.randomUUID()}. ${sentence.repeat(34)}`;
}
