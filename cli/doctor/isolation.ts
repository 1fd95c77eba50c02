import { messageOf } from "#runtime";
import {
  type IsolationClient,
  NoAnswerError,
  type Question,
  RefusedError,
  TESTED_APIS,
  type TestedApi,
} from "./isolation-client.ts";
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
    if (error instanceof NoAnswerError) return reportOf([{ name: "gateway", checks: [noAnswer(error)] }]);
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

const noAnswer = ({ message }: NoAnswerError) =>
  wrong(
    message,
    "Nothing could be examined.",
    "Start the gateway, or give the address at which it answers, as this machine reaches it.",
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
  const ask = async (key: string, prompt: string, salt?: string) =>
    (await client.ask({ ...place, key, prompt, salt })).cachedTokens;
  const prompt = testPrompt();
  const { promptTokens } = await client.ask({ ...place, key: one, prompt });
  const own = await ask(one, prompt);
  const seen = await ask(other, prompt);
  // A salt of their own would let two clients share a cache.
  const salted = testPrompt();
  const salt = crypto.randomUUID();
  await ask(one, salted, salt);
  const seenBySalt = await ask(other, salted, salt);
  if (own === undefined || seen === undefined || seenBySalt === undefined)
    return note(
      `${place.api}: answers do not tell how much of a prompt was cached, so nothing could be compared.`,
    );
  return judge(place.api, { promptTokens, own, seen, seenBySalt });
}

/** Cached tokens of requests with the same prompt. */
interface Compared {
  readonly promptTokens: number;
  readonly own: number;
  readonly seen: number;
  readonly seenBySalt: number;
}

function judge(api: TestedApi, { promptTokens, own, seen, seenBySalt }: Compared): Finding {
  const most = Math.max(seen, seenBySalt);
  // Chat templates begin all prompts alike, and a key finds that in the cache of its own. What it finds of another's is
  // all of the prompt, because both have sent the same one.
  const isSeen = (tokens: number) => tokens > promptTokens * SAME_BEGINNING;
  if (isSeen(most)) {
    const how = isSeen(seen) ? "" : " when both asked for the same salt";
    return wrong(
      `${api}: of a prompt of ${promptTokens} tokens that one key had sent, the other key's request reused ${most}${how}.`,
      "Whoever has a key can find out what others have asked.",
      "Start the gateway with --isolate key (keys of one group share caches with --isolate group). If it has the latter, both keys may be of one group: give keys of different groups. Otherwise the engine ignores salts: update it.",
    );
  }
  if (own === 0)
    return note(
      `${api}: not even the key that had sent a prompt reused any of it, so nothing is shared at all.`,
    );
  const others = most === 0 ? "none" : `only the ${most} with which its own prompts begin too`;
  return ok(
    `${api}: of a prompt of ${promptTokens} tokens, the key that had sent it reused ${own}, the other ${others}.`,
  );
}

/** The largest share of a test prompt that chat templates put before it. */
const SAME_BEGINNING = 0.25;

/** Some 3,000 characters that begin with random ones: several blocks of any engine, which none has cached. */
function testPrompt(): string {
  const sentence = "The lighthouse keeper counts the ships that pass in the night and writes each one down. ";
  return `Log ${crypto.randomUUID()}. ${sentence.repeat(34)}`;
}
