import { type Logger, messageOf } from "#runtime";
import { EngineApiError, probeEngine } from "../engines/index.ts";
import type { EngineApi } from "../engines/types.ts";
import { reportEngine } from "../models/engine-report.ts";
import { defaultEngineName, type EngineSpec } from "../models/members/engine-spec.ts";
import { checkHandoffs } from "./check-handoffs.ts";
import { compare } from "./compare.ts";
import { evaluate } from "./evaluate.ts";
import type { Evidence } from "./evidence.ts";
import { type ExamineOptions, examine } from "./examine.ts";
import type { Check, Diagnosis, EngineDiagnosis } from "./types.ts";

export { askGateway, membersOfGateway } from "./gateway-engines.ts";
export type * from "./types.ts";

export interface DiagnoseOptions extends ExamineOptions {
  createApi(spec: EngineSpec): EngineApi;
  readonly log: Logger;
}

interface Examined {
  readonly diagnosis: EngineDiagnosis;
  readonly evidence: readonly Evidence[];
}

/**
 * Proves for each engine that requests can be routed by what its cache holds, or says what prevents it: probes the
 * engine, sends it one test prompt twice, and compares its KV events, a router's view and its answers. Each engine
 * gets two short requests for one token. Prefill engines then hand KV blocks to decode engines.
 */
export async function diagnose(specs: readonly EngineSpec[], options: DiagnoseOptions): Promise<Diagnosis> {
  const examined = await Promise.all(specs.map((spec) => examineOne(spec, options)));
  const engines = examined.map(({ diagnosis }) => diagnosis);
  const evidence = examined.flatMap((each) => each.evidence);
  const partners = evidence.map((each) => ({ evidence: each, api: options.createApi(each.spec) }));
  const together = [...compare(evidence), ...(await checkHandoffs(partners))];
  return diagnosisOf(engines, together);
}

/** Merges several diagnoses. */
export const combine = (all: readonly Diagnosis[]): Diagnosis =>
  diagnosisOf(
    all.flatMap(({ engines }) => engines),
    all.flatMap(({ together }) => together),
  );

function diagnosisOf(engines: readonly EngineDiagnosis[], together: readonly Check[]): Diagnosis {
  const all = [...engines.flatMap(({ checks }) => checks), ...together];
  return { engines, together, isWell: !all.some(({ status }) => status === "problem") };
}

async function examineOne(given: EngineSpec, options: DiagnoseOptions): Promise<Examined> {
  const spec = { ...given, name: given.name ?? defaultEngineName(given.url) };
  const api = options.createApi(spec);
  try {
    const probe = await probeEngine(api);
    const { profile } = probe;
    const [model] = profile.models;
    if (model === undefined && profile.role === "encode") {
      const known = { name: spec.name, spec, state: "ready", reason: undefined, profile } as const;
      const { limitations } = profile;
      const engine = await reportEngine(
        { ...known, sources: [], feed: undefined, blockSize: undefined, limitations },
        () => undefined,
      );
      return { diagnosis: { engine, checks: [ENCODER] }, evidence: [] };
    }
    if (model === undefined) return failed(spec, NO_MODEL);
    const evidence = await examine(spec, api, probe, model, options);
    const { sources, events: feed, reader, blockSize, configuredBlockSize } = evidence;
    const isKnown = blockSize !== configuredBlockSize || (spec.blockSize ?? profile.blockSize) !== undefined;
    const known = {
      name: spec.name,
      spec,
      state: "ready",
      reason: undefined,
      profile,
      sources,
      feed,
      blockSize: isKnown ? blockSize : undefined,
      limitations: profile.limitations,
    } as const;
    const engine = await reportEngine(known, () => reader);
    return { diagnosis: { engine, checks: evaluate(evidence) }, evidence: [evidence] };
  } catch (error) {
    return failed(spec, unreachable(error));
  }
}

async function failed(spec: EngineSpec & { name: string }, check: Check): Promise<Examined> {
  const known = {
    name: spec.name,
    spec,
    state: "down",
    reason: check.text,
    profile: undefined,
    blockSize: undefined,
  } as const;
  const engine = await reportEngine(
    { ...known, sources: [], feed: undefined, limitations: [] },
    () => undefined,
  );
  return { diagnosis: { engine, checks: [check] }, evidence: [] };
}

const ENCODER: Check = {
  id: "answers",
  status: "skipped",
  text: "It is an encoder that language engines ask themselves.",
};

const NO_MODEL: Check = {
  id: "answers",
  status: "problem",
  text: "It answers, but serves no model.",
  cost: "It gets no requests.",
  fix: "Check the engine's log.",
};

function unreachable(error: unknown): Check {
  const known = error instanceof EngineApiError ? error : undefined;
  const isOther = known?.code === "not_readable" || known?.code === "too_large";
  return {
    id: "answers",
    status: "problem",
    text: known?.problem ?? messageOf(error),
    cost: "It gets no requests.",
    fix: known?.fix ?? (isOther ? ADDRESS_FIX : RUNNING_FIX),
  };
}

const ADDRESS_FIX =
  "This is not the address of an engine's API. Give the one that its clients use, such as http://HOST:8000.";
const RUNNING_FIX =
  "Check that the engine is running, has loaded its model, and listens on this address and port.";
