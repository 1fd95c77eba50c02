/**
 * Today's code reads the messages of proto/recorded.json: as version 1 wrote them, with fields that it did not know
 * ("newer"), and without those that can be absent ("older"). Never change a record; add those of a new version.
 */
import { readFileSync } from "node:fs";
import type { DescMessage } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  decodeIndexMessage,
  decodeIndexRequest,
  encodeIndexMessage,
  encodeIndexRequest,
  type IndexMessage,
} from "../gateway/peers/index-message.ts";
import { decodeLoads, encodeLoads, type LoadMessage } from "../gateway/peers/message.ts";
import { gatewaySchema, gatewayValue } from "../gateway/peers/registration.ts";
import { decodeDrainRequest, encodeDrainRequest } from "../runtime/drain.ts";
import {
  decodeEmbeddings,
  decodeEmbedRequest,
  decodeEncodeRequest,
  decodeEncodeResponse,
  decodeGenerateRequest,
  decodePrefillResponse,
  decodeTokenizeRequest,
  decodeTranscribeEvent,
  decodeTranscribeRequest,
  type EncodedMedium,
  type EncodeRequest,
  encodeEmbeddings,
  encodeEmbedRequest,
  encodeEncodeRequest,
  encodeEncodeResponse,
  encodeGenerateRequest,
  encodePrefillResponse,
  encodeTokenizeRequest,
  encodeTranscribeEvent,
  encodeTranscribeRequest,
  type GenerateRequest,
  type KvSource,
  type PrefillResponse,
  type TokenizeRequest,
  type TranscribeEvent,
  type TranscribeRequest,
} from "../runtime/generate/index.ts";
import {
  decodeEventsHello,
  decodeRequest,
  encodeEventsHello,
  encodeRequest,
} from "../runtime/kv-events/wire.ts";
import {
  decodeLoadLoraRequest,
  decodeUnloadLoraRequest,
  encodeLoadLoraRequest,
  encodeUnloadLoraRequest,
  type LoraSource,
} from "../runtime/lora.ts";
import { type Instance, instanceSchema, instanceValue } from "../runtime/model-card.ts";
import * as plane from "../runtime/request-plane/handshake.ts";
import { decodeRoleRequest, encodeRoleRequest, type WorkerRole } from "../runtime/role.ts";
import {
  frameRequest,
  type Registration,
  registrationSchema,
  registrationValue,
  splitRequest,
} from "../services/registration.ts";
import * as proto from "./index.ts";

/** Bytes in hexadecimal, or a JSON value of discovery. */
type Recorded = string | object;

interface Records {
  readonly written: Recorded;
  readonly newer: Recorded;
  readonly older: Recorded;
}

interface Message<Value> {
  write(value: Value): Uint8Array | object;
  read(recorded: never): unknown;
  /** What `written` and `newer` say. */
  readonly value: Value;
  /** What `older` says. */
  readonly least: unknown;
}

const tokens = Uint32Array.of(1, 151_935, 0xffffffff);

const indexHead: IndexMessage = {
  kind: "head",
  head: {
    blockSize: 16,
    isBlockSizeConfirmed: true,
    ranks: [
      {
        index: 3,
        worker: "http://10.0.0.7:8000",
        rank: 1,
        startedAt: 1_795_900_000.5,
        position: { sequence: 2 ** 40, digest: Uint8Array.of(1, 2, 3) },
        group: { followed: 1, isFirstWindowed: true, hasFirst: true },
        recentPrefillTokens: 1024.5,
      },
    ],
  },
};

const generate: GenerateRequest = {
  requestId: "req-0123456789abcdef",
  model: "Qwen/Qwen3-8B",
  tokens,
  maxTokens: 256,
  sampling: {
    temperature: 0.7,
    topP: 0.9,
    topK: 40,
    minP: 0.05,
    frequencyPenalty: 0.1,
    presencePenalty: -0.2,
    repetitionPenalty: 1.1,
    seed: -9_007_199_254_740_991,
    logitBias: [
      [11, -100],
      [151_935, 2.5],
    ],
  },
  ignoreEos: true,
  stopTokenIds: [2, 151_645],
  logprobs: 0,
  echoLogprobs: true,
  dataParallelRank: 3,
};

const kv: KvSource = {
  format: "llama.cpp b6000",
  tokens: 4096,
  bytes: 2 ** 40,
  agent: Uint8Array.of(1, 2, 3),
  memory: Uint8Array.of(4, 5),
};

const loads: LoadMessage = {
  isComplete: true,
  requests: 12.5,
  entries: [
    {
      model: "one",
      worker: "0123456789abcdef",
      rank: 0,
      prefillTokens: 4096,
      decodeBlocks: 77,
      requests: 3,
      newPrefillTokens: 0,
    },
    {
      model: "one",
      worker: "0123456789abcdef",
      rank: 1,
      prefillTokens: 0,
      decodeBlocks: 1.5,
      requests: 1,
      newPrefillTokens: 0,
    },
    {
      model: "two",
      worker: "http://10.0.0.7:8000",
      rank: 0,
      prefillTokens: 1,
      decodeBlocks: 0,
      requests: 1,
      newPrefillTokens: 0,
    },
  ],
};

const instance: Instance = {
  id: "0123456789abcdef",
  namespace: "stator",
  component: "llama",
  address: "tcp:10.0.0.7:7001",
  name: "llama-0",
  pid: 4242,
  drainWithinMs: 5000,
  card: {
    name: "Qwen/Qwen3-8B",
    aliases: ["qwen"],
    tags: ["gpu=h100"],
    apis: ["chat", "completions"],
    role: "prefill",
    contextLength: 32_768,
    blockSize: 16,
    totalBlocks: 9000,
    maxBatchedTokens: 8192,
    maxSequences: 256,
    dataParallelSize: 2,
    tokenizer: { kind: "huggingface", path: "/models/tokenizer.json", sha256: "ab".repeat(32) },
    chatTemplate: "{{ messages[-1].content }}",
    specialTokens: { bos: "<s>", eos: "</s>" },
    addBos: true,
    bosTokenId: 1,
    eosTokenIds: [2, 151_645],
    vocabularySize: 151_936,
    features: { logprobs: true, logitBias: true, embeddings: false, continues: false },
    engine: { name: "llama.cpp", version: "b6000" },
    created: 1_795_000_000,
  },
};

const service: Registration = {
  id: "0123456789abcdef",
  service: "counter",
  name: "counter-7",
  address: "tcp:10.0.0.7:7002",
  pid: 4242,
  isLeaving: true,
};

const message = <Value>(given: Message<Value>) => given as Message<unknown>;

/** A message of the request plane itself, which is no protobuf. */
const PLANE_HELLO = "the request plane's hello";

const readHello = (bytes: Uint8Array) => {
  const { maxMessageBytes, pingMs } = plane.decodeHello(bytes);
  return { maxMessageBytes, pingMs };
};

const MESSAGES: Readonly<Record<string, Message<unknown>>> = {
  [PLANE_HELLO]: message({
    write: plane.encodeHello,
    read: readHello,
    value: { maxMessageBytes: 67_108_864, pingMs: 2000 },
    least: { maxMessageBytes: 67_108_864, pingMs: 0 },
  }),
  [`${PLANE_HELLO} with flags`]: message({
    write: plane.encodeHello,
    read: plane.decodeHello,
    value: { maxMessageBytes: 67_108_864, pingMs: 2000, knowsGoodbye: true },
    least: { maxMessageBytes: 67_108_864, pingMs: 2000, knowsGoodbye: false },
  }),
  GenerateRequest: message<GenerateRequest>({
    write: encodeGenerateRequest,
    read: decodeGenerateRequest,
    value: generate,
    least: {
      requestId: "",
      model: "",
      tokens,
      maxTokens: 0,
      sampling: {
        temperature: 1,
        topP: 1,
        topK: 0,
        minP: 0,
        frequencyPenalty: 0,
        presencePenalty: 0,
        repetitionPenalty: 1,
        logitBias: [],
      },
      ignoreEos: false,
      stopTokenIds: [],
    },
  }),
  "GenerateRequest with kvSource": message<GenerateRequest>({
    write: encodeGenerateRequest,
    read: decodeGenerateRequest,
    value: { ...generate, kvSource: kv },
    least: generate,
  }),
  "GenerateRequest with salts": message<GenerateRequest>({
    write: encodeGenerateRequest,
    read: decodeGenerateRequest,
    value: { ...generate, loraName: "poet", cacheSalt: "c2FsdA", sharedTokens: 64 },
    least: generate,
  }),
  "GenerateRequest with media": message<GenerateRequest>({
    write: encodeGenerateRequest,
    read: decodeGenerateRequest,
    value: {
      ...generate,
      media: [
        { kind: "image", type: "image/png", position: 0, data: Uint8Array.of(0x89, 0x50) },
        { kind: "audio", type: "audio/wav", position: 2, data: Uint8Array.of(0x52) },
      ],
    },
    least: generate,
  }),
  "GenerateRequest with features": message<GenerateRequest>({
    write: encodeGenerateRequest,
    read: decodeGenerateRequest,
    value: {
      ...generate,
      media: [
        { kind: "image", type: "image/png", position: 1, data: Uint8Array.of(0x89, 0x50), features: kv },
      ],
    },
    least: {
      ...generate,
      media: [{ kind: "image", type: "image/png", position: 0, data: Uint8Array.of(0x89, 0x50) }],
    },
  }),
  EncodeRequest: message<EncodeRequest>({
    write: encodeEncodeRequest,
    read: decodeEncodeRequest,
    value: {
      requestId: "req-1",
      media: [{ id: "a1", kind: "image", type: "image/png", data: Uint8Array.of(0x89, 0x50) }],
    },
    least: {
      requestId: "",
      media: [{ id: "a1", kind: "image", type: "image/png", data: new Uint8Array(0) }],
    },
  }),
  EncodeResponse: message<readonly EncodedMedium[]>({
    write: encodeEncodeResponse,
    read: decodeEncodeResponse,
    value: [
      { kind: "features", source: kv },
      { kind: "text", text: "A sign: “Über 3 m”" },
      { kind: "refused", message: "It is damaged." },
      { kind: "missing" },
    ],
    least: [],
  }),
  "EncodeResponse with isTooLarge": message<readonly EncodedMedium[]>({
    write: encodeEncodeResponse,
    read: decodeEncodeResponse,
    value: [{ kind: "refused", message: "It is huge.", isTooLarge: true }],
    least: [],
  }),
  PrefillResponse: message<PrefillResponse>({
    write: encodePrefillResponse,
    read: decodePrefillResponse,
    value: { delta: Uint8Array.of(0, 1, 0, 42, 0, 0, 0), kv },
    least: { delta: new Uint8Array(0) },
  }),
  RoleRequest: message<WorkerRole>({
    write: encodeRoleRequest,
    read: decodeRoleRequest,
    value: "decode",
    least: "decode",
  }),
  EmbedRequest: message<Uint32Array[]>({
    write: encodeEmbedRequest,
    read: decodeEmbedRequest,
    value: [tokens, new Uint32Array(0)],
    least: [],
  }),
  EmbedResponse: message<Float32Array[]>({
    write: encodeEmbeddings,
    read: decodeEmbeddings,
    value: [Float32Array.of(0.5, -1), Float32Array.of(3)],
    least: [],
  }),
  TranscribeRequest: message<TranscribeRequest>({
    write: encodeTranscribeRequest,
    read: decodeTranscribeRequest,
    value: {
      audio: Uint8Array.of(0, 255, 7),
      translates: true,
      language: "en",
      prompt: "Grüße",
      temperature: 0.5,
      words: true,
      requestId: "req-1",
    },
    least: {
      audio: new Uint8Array(0),
      translates: false,
      language: undefined,
      prompt: undefined,
      temperature: undefined,
      words: false,
      requestId: "",
    },
  }),
  TranscribeEvent: message<TranscribeEvent>({
    write: encodeTranscribeEvent,
    read: decodeTranscribeEvent,
    value: {
      text: "Ever tried.",
      segments: [
        {
          start: 0.5,
          end: 2.25,
          text: "Ever tried.",
          tokens: [...tokens],
          meanLogprob: -0.5,
          noSpeech: 0.25,
        },
      ],
      words: [{ start: 0.5, end: 1, word: "Ever" }],
      done: { audioSeconds: 10, computeSeconds: 0.5, language: "en", tokens: 14 },
      refusal: { field: "language", message: "No." },
    },
    least: { text: "", segments: [], words: [], done: undefined, refusal: undefined },
  }),
  TokenizeRequest: message<TokenizeRequest>({
    write: encodeTokenizeRequest,
    read: decodeTokenizeRequest,
    value: { text: "\ufeffGrüße 🐙", special: true },
    least: { text: "", special: false },
  }),
  DrainRequest: message<number>({
    write: encodeDrainRequest,
    read: decodeDrainRequest,
    value: 5000,
    least: undefined,
  }),
  KvEventsRequest: message({
    write: encodeRequest,
    read: decodeRequest,
    value: { from: 4711, epoch: "0123456789abcdef" },
    least: { from: -1 },
  }),
  KvEventsHello: message<string>({
    write: encodeEventsHello,
    read: decodeEventsHello,
    value: "0123456789abcdef",
    least: undefined,
  }),
  LoadReport: message<LoadMessage>({
    write: encodeLoads,
    read: decodeLoads,
    value: loads,
    least: { isComplete: false, requests: 0, entries: [] },
  }),
  IndexRequest: message<string>({
    write: encodeIndexRequest,
    read: decodeIndexRequest,
    value: "one",
    least: "",
  }),
  IndexPart: message<IndexMessage>({
    write: encodeIndexMessage,
    read: decodeIndexMessage,
    value: indexHead,
    least: { kind: "head", head: { blockSize: 0, isBlockSizeConfirmed: false, ranks: [] } },
  }),
  ServiceRequest: message<{ requestId: string; payload: Uint8Array }>({
    write: ({ requestId, payload }) => frameRequest(requestId, payload),
    read: splitRequest,
    value: { requestId: "req-0123456789abcdef", payload: Uint8Array.of(1, 2, 3) },
    least: { requestId: "req-0123456789abcdef", payload: new Uint8Array(0) },
  }),
  Instance: message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: instance,
    least: {
      id: instance.id,
      namespace: "",
      component: "",
      address: instance.address,
      name: instance.name,
      pid: 0,
      card: {
        name: instance.card.name,
        aliases: [],
        tags: [],
        apis: [],
        role: "aggregated",
        contextLength: 32_768,
        blockSize: 16,
        totalBlocks: 0,
        maxBatchedTokens: 8192,
        maxSequences: 256,
        dataParallelSize: 1,
        tokenizer: { kind: "worker", sha256: "ab".repeat(32) },
        specialTokens: {},
        addBos: false,
        eosTokenIds: [],
        vocabularySize: 151_936,
        features: { logprobs: false, logitBias: false, embeddings: false },
        engine: { name: "", version: "" },
        created: 0,
      },
    },
  }),
  GatewayRegistration: message({
    write: gatewayValue,
    read: (value) => gatewaySchema.parse(value),
    value: { id: "gateway-a", address: "tcp:10.0.0.8:7000", startedAt: 0 },
    least: { id: "gateway-a", address: "tcp:10.0.0.8:7000", startedAt: 0 },
  }),
  "GatewayRegistration with kvEventsKey": message({
    write: gatewayValue,
    read: (value) => gatewaySchema.parse(value),
    value: {
      id: "gateway-a",
      address: "tcp:10.0.0.8:7000",
      startedAt: 1_795_000_000.5,
      kvEventsKey: "fedcba9876543210",
    },
    least: { id: "gateway-a", address: "tcp:10.0.0.8:7000", startedAt: 0 },
  }),
  "Instance with kvEventsKey": message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: { ...instance, kvEventsKey: "fedcba9876543210" },
    least: instance,
  }),
  "Instance with kvEventsSubject": message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: { ...instance, kvEventsSubject: "stator.kv_events.fedcba9876543210" },
    least: instance,
  }),
  LoadLoraAdapterRequest: message<LoraSource>({
    write: encodeLoadLoraRequest,
    read: decodeLoadLoraRequest,
    value: { name: "sql", path: "/adapters/sql.gguf", inPlace: true },
    least: { name: "sql", path: "/adapters/sql.gguf", inPlace: false },
  }),
  UnloadLoraAdapterRequest: message<string>({
    write: encodeUnloadLoraRequest,
    read: decodeUnloadLoraRequest,
    value: "sql",
    least: "sql",
  }),
  "Instance with loraAdapters": message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: { ...instance, card: { ...instance.card, loraAdapters: ["sql", "poems"] } },
    least: instance,
  }),
  "Instance with media": message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: { ...instance, card: { ...instance.card, media: ["image", "audio"] } },
    least: instance,
  }),
  "Instance with featureFormat": message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: { ...instance, card: { ...instance.card, role: "encode", featureFormat: "llama.cpp mtmd=1" } },
    least: instance,
  }),
  "Instance with kvFormat": message<Instance>({
    write: instanceValue,
    read: (value) => instanceSchema.parse(value),
    value: { ...instance, card: { ...instance.card, kvFormat: kv.format } },
    least: instance,
  }),
  ServiceRegistration: message<Registration>({
    write: registrationValue,
    read: (value) => registrationSchema.parse(value),
    value: service,
    least: { id: service.id, service: "", name: "", address: service.address, pid: 0, isLeaving: false },
  }),
};

const recorded: Readonly<Record<string, Records>> = JSON.parse(
  readFileSync(new URL("recorded.json", import.meta.url), "utf8"),
);

const bytesOf = (message: Recorded): never =>
  (typeof message === "string" ? Uint8Array.from(Buffer.from(message, "hex")) : message) as never;

describe.each(Object.entries(MESSAGES))("recorded messages: %s", (name, { write, read, value, least }) => {
  const { written, newer, older } = recorded[name]!;

  test("are read, whatever a newer version adds", () => {
    expect(read(bytesOf(written))).toEqual(value);
    expect(read(bytesOf(newer))).toEqual(value);
  });

  test("have defaults for what an older version leaves out", () => {
    expect(read(bytesOf(older))).toEqual(least);
  });

  test("are still written alike", () => {
    const now = write(value);
    if (now instanceof Uint8Array) expect(Buffer.from(now).toString("hex")).toBe(written);
    else expect(now).toMatchObject(written as object);
  });
});

test("every message is recorded, as part of another one or on its own", () => {
  const messages = Object.values<object>(proto).filter((each) => isDescriptor(each));
  const parts = new Set(messages.flatMap(({ fields }) => fields.map((field) => field.message)));
  const whole = messages.filter((each) => !parts.has(each)).map(({ name }) => name);
  // Other names are of what is no protobuf, or of later versions of a message.
  const own = Object.keys(MESSAGES).filter((name) => /^\w+$/.test(name));
  expect(own.sort()).toEqual(whole.sort());
});

const isDescriptor = (value: object): value is DescMessage => "kind" in value && value.kind === "message";
