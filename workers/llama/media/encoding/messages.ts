import type { MediaPackages } from "../packages.ts";

/** To the process that encodes media. */
export type ToProcess =
  | ({ readonly kind: "open" } & ProjectorOptions)
  | { readonly kind: "measure"; readonly data: Uint8Array }
  /** @property most tokens that the medium may be; if it is more, it is only measured */
  | { readonly kind: "encode"; readonly data: Uint8Array; readonly most: number };

export interface ProjectorOptions {
  readonly packages: MediaPackages;
  readonly modelPath: string;
  readonly projectorPath: string;
  readonly threads: number;
  /** A library of ggml with kernels for this processor, if there is one. */
  readonly kernels?: string | undefined;
}

/** What a projector takes. */
export interface ProjectorKinds {
  readonly vision: boolean;
  readonly audio: boolean;
}

/** From the process that encodes media: one for each message. */
export type FromProcess =
  | { readonly kind: "ready"; readonly kinds: ProjectorKinds }
  /** It cannot be opened. The message is a clause. */
  | { readonly kind: "unready"; readonly message: string }
  | { readonly kind: "measured"; readonly tokens: number }
  /** @property features by `packParts` */
  | { readonly kind: "encoded"; readonly tokens: number; readonly features: Uint8Array }
  /** The medium cannot be decoded. The message is a sentence for the client. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };
