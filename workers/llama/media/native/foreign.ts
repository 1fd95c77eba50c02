import { createRequire } from "node:module";
import type { LibraryHandle } from "koffi";
import type { MediaPackages } from "../packages.ts";

type Koffi = typeof import("koffi");
type ForeignFunction = ReturnType<LibraryHandle["func"]>;

/** A pointer of C's; only passed on. */
export type Pointer = unknown;

/** A loaded library of C functions. */
export interface Foreign {
  readonly koffi: Koffi;
  /** @param declaration as in C */
  declare(declaration: string): ForeignFunction;
  /** The function runs in a thread of its own. */
  declareSlow(declaration: string): (...values: readonly unknown[]) => Promise<unknown>;
}

/** @throws Error if the packages are others, or cannot be loaded on this machine */
export function loadForeign(packages: MediaPackages): Foreign {
  const koffi: unknown = createRequire(packages.koffi)(packages.koffi);
  if (!isKoffi(koffi)) throw new Error(`${packages.koffi} is not the package koffi.`);
  const library = koffi.load(packages.llama);
  const declare = (declaration: string) => library.func(declaration);
  return {
    ...{ koffi, declare },
    declareSlow: (declaration) => {
      const { async: start } = declare(declaration);
      return (...values) =>
        new Promise((resolve, reject) => {
          start(...values, (error: unknown, result: unknown) => {
            if (error === null || error === undefined) resolve(result);
            else reject(error);
          });
        });
    },
  };
}

const isKoffi = (module: unknown): module is Koffi =>
  typeof module === "object" && module !== null && "load" in module && "struct" in module;
