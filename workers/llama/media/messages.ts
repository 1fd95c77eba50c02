import type { SamplingOptions } from "./native/sampler.ts";
import type { MediaPackages } from "./packages.ts";

/** To the process that computes prompts with media. */
export type ToProcess =
  | ({ readonly kind: "open" } & MediaModelOptions)
  | MediaQuestion
  | { readonly kind: "encode"; readonly data: Uint8Array }
  | { readonly kind: "stop" };

export interface MediaModelOptions {
  readonly packages: MediaPackages;
  readonly modelPath: string;
  readonly projectorPath: string;
  /** Longest prompt plus answer; 0 for a process that only encodes. */
  readonly contextLength: number;
  readonly threads: number;
}

export interface MediaQuestion {
  readonly kind: "ask";
  /** Without those of its media. */
  readonly tokens: Uint32Array;
  readonly media: readonly QuestionMedium[];
  readonly maxTokens: number;
  readonly sampling: Omit<SamplingOptions, "penalised">;
  readonly ignoreEos: boolean;
  /** Tokens that end the answer, besides the model's own. */
  readonly stopTokenIds: readonly number[];
  /** How many of the most probable tokens come with each; undefined for no log probabilities. */
  readonly logprobs: number | undefined;
}

export interface QuestionMedium {
  /** How many of the prompt's tokens are before it. */
  readonly position: number;
  readonly data: Uint8Array;
  /** What the projector of another worker has made of it, by `packFeatures`. */
  readonly features: Uint8Array | undefined;
}

/** From it. */
export type FromProcess =
  | { readonly kind: "ready"; readonly kinds: ProjectorKinds }
  | { readonly kind: "unready"; readonly message: string }
  /** The prompt's tokens are counted with those of its media. */
  | { readonly kind: "begun"; readonly promptTokens: number }
  | AnsweredToken
  | { readonly kind: "encoded"; readonly tokens: number; readonly features: Uint8Array }
  | MediaEnd;

/** The kinds of media that a projector takes. */
export interface ProjectorKinds {
  readonly vision: boolean;
  readonly audio: boolean;
}

export interface AnsweredToken {
  readonly kind: "token";
  readonly id: number;
  readonly logprob?: number | undefined;
  readonly top?: readonly (readonly [tokenId: number, logprob: number])[];
}

export type MediaEnd =
  | { readonly kind: "done"; readonly finish: "stop" | "length"; readonly stopToken?: number | undefined }
  /** The request cannot be served. @param message a sentence for the client */
  | { readonly kind: "refused"; readonly message: string }
  /** The process takes no more. */
  | { readonly kind: "failed"; readonly message: string };
