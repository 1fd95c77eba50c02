import { importPackage } from "../packages.ts";

/** What the engine uses of the npm package `sharp`, whose libraries are large and therefore none of Stator's own. */
export interface Sharp {
  (input: Uint8Array, options?: SharpOptions): SharpImage;
  cache(isOn: boolean): unknown;
  /** @param threads for each picture */
  concurrency(threads: number): unknown;
}

export interface SharpOptions {
  readonly limitInputPixels?: number;
  readonly failOn?: "none" | "truncated" | "error" | "warning";
  readonly raw?: { readonly width: number; readonly height: number; readonly channels: 3 };
}

export interface SharpImage {
  metadata(): Promise<SharpMetadata>;
  /** Turns the picture as its EXIF data says. */
  autoOrient(): SharpImage;
  resize(width: number, height: number, options: { readonly fit: "fill" }): SharpImage;
  /** Lays it on a background if it has transparent parts. */
  flatten(options: { readonly background: string }): SharpImage;
  toColourspace(space: "srgb"): SharpImage;
  timeout(options: { readonly seconds: number }): SharpImage;
  raw(): SharpImage;
  toBuffer(options: {
    readonly resolveWithObject: true;
  }): Promise<{ readonly data: Uint8Array; readonly info: SharpInfo }>;
}

export interface SharpMetadata {
  readonly autoOrient: { readonly width: number; readonly height: number };
}

export interface SharpInfo {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** The version that the engine is tested with. */
const PACKAGE = { name: "sharp", version: "0.35.5", use: "The ocr engine decodes pictures with sharp" };

/**
 * Loads sharp from where Stator's own packages are, the working directory, or the model's folder.
 * @throws Error that says how to install it
 */
export async function loadSharp(modelFolder: string): Promise<Sharp> {
  const { path, module } = await importPackage(PACKAGE, modelFolder);
  if (!isSharp(module.default)) throw new Error(`${path} is not sharp; install sharp@${PACKAGE.version}.`);
  return module.default;
}

const isSharp = (value: unknown): value is Sharp =>
  typeof value === "function" && "concurrency" in value && typeof value.concurrency === "function";
