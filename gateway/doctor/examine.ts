import { z } from "zod";
import { type Logger, messageOf } from "#runtime";
import { EngineApiError, type EngineProbe } from "../engines/index.ts";
import type { EngineApi, EngineModel } from "../engines/types.ts";
import type { OpenEngineFeed } from "../feeds/feed.ts";
import { UNKNOWN_ENGINE } from "../models/members/attached-member.ts";
import { type EngineSpec, kvEventSources, roleOf } from "../models/members/engine-spec.ts";
import type { PromptReaderLoader } from "../models/sources/attached-engines.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { exactPrompt } from "../routing/prompt.ts";
import { EventWatch } from "./event-watch.ts";
import type { Evidence } from "./evidence.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { examineMedia } from "./test-media.ts";
import { TEST_BLOCKS, type TestAnswer, type TestApi, type TestPrompt, testPrompt } from "./test-prompt.ts";

export interface ExamineOptions {
  readonly routerModule: WebAssembly.Module;
  /** Undefined on runtimes that cannot receive KV events. */
  readonly openKvFeed: OpenEngineFeed | undefined;
  readonly loadPromptReader: PromptReaderLoader;
  /** Timeout of each connection or event, in milliseconds. */
  readonly waitMs: number;
  readonly log: Logger;
}

/**
 * Sends an engine a test prompt twice, and observes its KV events, metrics and answers.
 * @param api with a timeout long enough for an answer
 */
export async function examine(
  spec: EngineSpec & { readonly name: string },
  api: EngineApi,
  { adapter, profile }: EngineProbe,
  model: EngineModel,
  { routerModule, openKvFeed, loadPromptReader, waitMs, log }: ExamineOptions,
): Promise<Evidence> {
  const { name } = spec;
  const sources = kvEventSources(spec, profile);
  const configuredBlockSize = spec.blockSize ?? profile.blockSize ?? UNKNOWN_ENGINE.blockSize;
  const reader = await loadPromptReader(model, { profile, sources }, () => [
    { name, api, adapter, state: "ready" },
  ]);
  // Polled events are consumed, and would be lost to a gateway that polls this engine.
  const isStream = sources.length > 0 && sources.every(({ kind }) => kind === "zmq");
  const role = roleOf(spec, profile);
  const isHalf =
    role === "encode" || (role !== "aggregated" && adapter.disaggregation?.decodesAlone === false);
  const isWorthWatching = isStream && profile.hasPrefixCaching !== false && !isHalf;
  const { dataParallelSize } = profile;
  const given = {
    sources,
    api,
    adapter,
    dataParallelSize,
    blockSize: configuredBlockSize,
    routerModule,
    log,
  };
  const watch =
    isWorthWatching && openKvFeed !== undefined ? new EventWatch({ ...given, openKvFeed }) : undefined;
  const begun = performance.now();
  try {
    const isConnected = (await watch?.until(() => watch.isConnected, waitMs)) ?? false;
    watch?.markStart();
    const connected = isConnected ? watch : undefined;
    const {
      prompt,
      answer: first,
      failure,
    } = isHalf
      ? { prompt: await testPrompt("chat", model.name, configuredBlockSize, reader) }
      : await askAndAwaitEvents(api, model, configuredBlockSize, reader, connected, waitMs);
    const blockSize = watch?.blockSize ?? configuredBlockSize;
    const hitsBefore = await readHits(adapter, api);
    const second = first && (await answerOf(api, prompt).catch(() => undefined));
    const hitsAfter = await readHits(adapter, api);
    const takesPictures =
      first !== undefined && prompt.api === "chat" && reader.isExact && profile.kind === "vllm";
    const media =
      takesPictures && connected !== undefined && connected.stored.length > 0
        ? await examineMedia(model.name, reader, connected, waitMs, (body) =>
            answerOf(api, { api: "chat", body }),
          )
        : undefined;
    return {
      name,
      spec,
      adapter,
      profile,
      model,
      sources,
      blockSize,
      configuredBlockSize,
      reader,
      prompt,
      isHalf,
      failure,
      first,
      second,
      media,
      countedHits: hitsBefore === undefined || hitsAfter === undefined ? undefined : hitsAfter - hitsBefore,
      engineTokens: await engineTokens(adapter, profile.tokenizes, api, model, prompt),
      fingerprint: await fingerprintOf(adapter, profile.tokenizes, api, model),
      events: watch && {
        isConnected: watch.isConnected,
        batches: watch.batches,
        stored: watch.stored,
        unreadable: watch.unreadable,
        knownBlocks: watch.knownBlocks(exactPrompt(prompt.tokens)),
        waitedSeconds: Math.round((performance.now() - begun) / 1000),
      },
    };
  } finally {
    watch?.close();
  }
}

interface Asked {
  readonly prompt: TestPrompt;
  readonly answer?: TestAnswer;
  readonly failure: string | undefined;
}

/** The largest block size of any known engine, in tokens. */
const LONGEST_BLOCK = 2_048;

/** Asks, and waits for the events; if none come, asks again with a long prompt, in case blocks are larger. */
async function askAndAwaitEvents(
  api: EngineApi,
  model: EngineModel,
  blockSize: number,
  reader: PromptReader,
  watch: EventWatch | undefined,
  waitMs: number,
): Promise<Asked> {
  const asked = await ask(api, model, blockSize, reader);
  if (watch === undefined || asked.answer === undefined) return asked;
  const hasAll = ({ prompt: { tokens } }: Asked) =>
    watch.knownBlocks(exactPrompt(tokens)) >= Math.floor(tokens.length / watch.blockSize);
  await watch.until(() => hasAll(asked), waitMs);
  // The template and the answer need part of the context.
  const mostTokens = Math.floor(0.9 * (model.contextLength ?? TEST_BLOCKS * LONGEST_BLOCK));
  const longer = Math.min(LONGEST_BLOCK, Math.floor(mostTokens / TEST_BLOCKS));
  if (watch.stored.length > 0 || longer <= 2 * blockSize) return asked;
  const again = await ask(api, model, longer, reader);
  if (again.answer === undefined) return asked;
  await watch.until(() => hasAll(again), waitMs);
  return watch.stored.length > 0 ? again : asked;
}

/** Asks with a chat, or with a text completion if the model does not support chats. */
async function ask(
  api: EngineApi,
  model: EngineModel,
  blockSize: number,
  reader: PromptReader,
): Promise<Asked> {
  let tried: TestPrompt | undefined;
  let failure: string | undefined;
  for (const kind of ["chat", "completions"] satisfies TestApi[]) {
    const prompt = await testPrompt(kind, model.name, blockSize, reader);
    tried ??= prompt;
    try {
      return { prompt, answer: await answerOf(api, prompt), failure: undefined };
    } catch (error) {
      failure ??= messageOf(error);
      // If the engine does not answer at all, the other API would fail too.
      if (error instanceof EngineApiError && error.code !== "bad_status" && error.code !== "unsupported")
        break;
    }
  }
  return { prompt: tried!, failure };
}

const answerSchema = z.looseObject({
  usage: z
    .looseObject({
      prompt_tokens: z.number().nullish(),
      prompt_tokens_details: z.looseObject({ cached_tokens: z.number().nullish() }).nullish(),
    })
    .nullish(),
});

const PATHS: Record<TestApi, string> = { chat: "/v1/chat/completions", completions: "/v1/completions" };

/** @throws EngineApiError */
async function answerOf(
  api: EngineApi,
  { api: kind, body }: Pick<TestPrompt, "api" | "body">,
): Promise<TestAnswer> {
  const answer = await api.postJson(PATHS[kind], body);
  const url = `${api.url}${PATHS[kind]}`;
  if (answer === undefined)
    throw new EngineApiError("unsupported", `${url} does not exist, or does not have this model.`);
  const read = answerSchema.safeParse(answer);
  if (!read.success)
    throw new EngineApiError("not_readable", `${url} returned an answer that cannot be read.`);
  const { usage } = read.data;
  return {
    promptTokens: usage?.prompt_tokens ?? undefined,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? undefined,
  };
}

async function readHits(adapter: EngineProbe["adapter"], api: EngineApi): Promise<number | undefined> {
  try {
    return (await adapter.readLoad(api)).prefixHits;
  } catch {
    return undefined;
  }
}

async function engineTokens(
  adapter: EngineProbe["adapter"],
  tokenizes: "chat" | "text" | "nothing",
  api: EngineApi,
  model: EngineModel,
  { api: kind, body }: TestPrompt,
): Promise<Uint32Array | undefined> {
  if (tokenizes === "nothing" || (kind === "chat" && tokenizes !== "chat")) return undefined;
  const { prompt } = body;
  try {
    return await adapter.tokenize(
      api,
      typeof prompt === "string" ? { model: model.name, prompt } : { model: model.name, chat: body },
    );
  } catch {
    return undefined;
  }
}
