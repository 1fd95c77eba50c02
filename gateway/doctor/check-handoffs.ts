import { messageOf } from "#runtime";
import type { Disaggregation, PrefillAnswer } from "../engines/disaggregation/types.ts";
import { EngineApiError } from "../engines/index.ts";
import type { EngineApi } from "../engines/types.ts";
import { parseExactly } from "../kernel/exact-json.ts";
import { roleOf } from "../models/members/engine-spec.ts";
import { roleConflict } from "../models/members/observed-limitations.ts";
import type { Evidence } from "./evidence.ts";
import { testPrompt } from "./test-prompt.ts";
import type { Check } from "./types.ts";

/** An engine with a role, which can be asked. */
export interface Partner {
  readonly evidence: Evidence;
  readonly api: EngineApi;
}

/** Blocks of the prompt: several, so that more than a beginning is handed over. */
const BLOCKS = 8;
const PATHS = { chat: "/v1/chat/completions", completions: "/v1/completions" } as const;
const COST = "Its prompts are computed by decode engines, as if there were no prefill engine.";

/**
 * Proves that prefill engines hand KV blocks to decode engines, with one request for each engine: from every prefill engine
 * to the first decode engine of its model, and to every other decode engine from the first prefill engine.
 */
export async function checkHandoffs(partners: readonly Partner[]): Promise<Check[]> {
  const models = Map.groupBy(partners, ({ evidence }) => evidence.model.name);
  const checks = await Promise.all(Array.from(models, ([model, those]) => checkModel(model, those)));
  return checks.flat();
}

async function checkModel(model: string, all: readonly Partner[]): Promise<Check[]> {
  const conflicts = all.flatMap(checkRole);
  // Engines in a role that they do not have fail, or do not answer at all.
  if (conflicts.length > 0) return conflicts;
  return checkPairs(model, all);
}

/** A problem if the engine reports another role than it was given. */
function checkRole({ evidence: { name, adapter, spec, profile } }: Partner): Check[] {
  const [conflict] = roleConflict(adapter, spec, profile);
  if (conflict === undefined) return [];
  return [
    {
      id: "kv-handoff",
      status: "problem",
      text: `${name} reports the role '${profile.role}', but was given the role '${spec.role}'.`,
      cost: "Requests that it gets in that role fail or hang.",
      fix: "Name it in its own role, or start it in the other one.",
      flag: conflict.flag,
    },
  ];
}

async function checkPairs(model: string, partners: readonly Partner[]): Promise<Check[]> {
  const of = (role: string) =>
    partners.filter(({ evidence: { spec, profile } }) => roleOf(spec, profile) === role);
  const [prefill, decode] = [of("prefill"), of("decode")];
  const [firstPrefill] = prefill;
  const [firstDecode, ...otherDecodes] = decode;
  if (firstPrefill === undefined && firstDecode === undefined) return [];
  if (firstPrefill === undefined || firstDecode === undefined)
    return [withoutPartner(model, prefill, decode)];
  const pairs = [
    ...prefill.map((each) => [each, firstDecode] as const),
    ...otherDecodes.map((each) => [firstPrefill, each] as const),
  ];
  const checks: Check[] = [];
  // One after another, because a decode engine's counter tells what came from whom.
  for (const [from, to] of pairs) checks.push(await checkPair(from, to));
  return checks;
}

function withoutPartner(model: string, prefill: readonly Partner[], decode: readonly Partner[]): Check {
  const [has, lacks] = decode.length === 0 ? ["prefill", "decode"] : ["decode", "prefill"];
  const names = [...prefill, ...decode].map(({ evidence }) => evidence.name).join(", ");
  return {
    id: "kv-handoff",
    status: "problem",
    text: `${model} has ${has} engines (${names}), but no ${lacks} engine.`,
    cost: decode.length === 0 ? "It cannot answer requests." : COST,
    fix: `Attach one with --${lacks} URL.`,
  };
}

async function checkPair(from: Partner, to: Partner): Promise<Check> {
  const id = "kv-handoff";
  const [{ evidence: prefill }, { evidence: decode }] = [from, to];
  const title = `From ${prefill.name} to ${decode.name}`;
  const { disaggregation } = prefill.adapter;
  if (disaggregation === undefined || decode.adapter.kind !== prefill.adapter.kind)
    return {
      id,
      status: "problem",
      text: `${title}: engines of the kinds ${prefill.adapter.kind} and ${decode.adapter.kind} hand no KV blocks to each other.`,
      cost: COST,
      fix: "Give the roles prefill and decode to engines of one kind: vLLM, SGLang or TensorRT-LLM.",
    };
  try {
    const tokens = await handOver(disaggregation, from, to);
    const isIdle = tokens === 0;
    const isUnproved = tokens === undefined && disaggregation.decodesAlone;
    return {
      id,
      status: isIdle ? "problem" : isUnproved ? "note" : "ok",
      text: `${title}: a prompt computed by the one was answered by the other.${proofOf(tokens, isUnproved)}`,
      ...(isIdle && {
        cost: COST,
        fix: "Start it so that it receives KV blocks.",
        flag: disaggregation.flagFor("decode"),
      }),
    };
  } catch (error) {
    const role = error instanceof PrefillError ? "prefill" : "decode";
    return {
      id,
      status: "problem",
      text: `${title}: the ${role} engine failed: ${messageOf(error)}`,
      cost: COST,
      fix: "Check its log, and that both engines were started for each other and reach each other.",
      flag: disaggregation.flagFor(role),
    };
  }
}

/** @param tokens how many tokens' blocks the decode engine has received, if it tells */
function proofOf(tokens: number | undefined, isUnproved: boolean): string {
  if (isUnproved) return " Whether that one used the blocks is not known, as it does not count them.";
  if (tokens === undefined) return "";
  if (tokens === 0) return " But the decode engine has received no blocks: it computed the prompt itself.";
  return ` ${tokens} tokens' blocks came from there, by the decode engine's count.`;
}

class PrefillError extends Error {}

/** @returns how many tokens' blocks the decode engine got, if it tells @throws PrefillError or another Error */
async function handOver(
  disaggregation: Disaggregation,
  { evidence: prefill, api: prefillApi }: Partner,
  { evidence: { prompt, reader, model, blockSize }, api }: Partner,
): Promise<number | undefined> {
  const { body } = await testPrompt(prompt.api, model.name, (BLOCKS / 4) * blockSize, reader);
  const path = PATHS[prompt.api];
  const { url } = prefill.spec;
  const { bootstrapPort, kvLeaseMs } = prefill.profile;
  const division = disaggregation.divide({ path, body, prefill: { url, bootstrapPort, kvLeaseMs } });
  const received = async () => disaggregation.readReceivedTokens?.(api).catch(() => undefined);
  const before = await received();
  const ask = async (engine: EngineApi, fields: PrefillAnswer["fields"]) => {
    const answer = await engine.postJson(path, defined({ ...body, ...fields }), parseExactly);
    if (answer === undefined) throw new EngineApiError("unsupported", `${engine.url}${path} does not exist.`);
    return answer;
  };
  const asPrefill = (error: unknown): never => {
    throw new PrefillError(messageOf(error), { cause: error });
  };
  if (division.decodeFields !== undefined) {
    const { decodeFields } = division;
    await Promise.all([ask(prefillApi, division.prefillFields).catch(asPrefill), ask(api, decodeFields)]);
  } else {
    const answer = await ask(prefillApi, division.prefillFields).catch(asPrefill);
    await ask(api, read(() => division.readAnswer(answer)).fields);
  }
  const after = await received();
  return before === undefined || after === undefined ? undefined : after - before;
}

function read(answer: () => PrefillAnswer): PrefillAnswer {
  try {
    return answer();
  } catch (error) {
    throw new PrefillError(messageOf(error), { cause: error });
  }
}

const defined = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
