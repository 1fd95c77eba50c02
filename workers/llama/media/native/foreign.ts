import { createRequire } from "node:module";
import type { LibraryHandle } from "koffi";

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

/**
 * Loads a library of C functions, and describes its structs, which a process can do once.
 * @param koffiPath of the package that calls them
 * @throws Error if the package is another one, cannot be loaded on this machine, or the library has other structs
 */
export function loadForeign(koffiPath: string, libraryPath: string, structs: Structs = NONE): Foreign {
  const koffi: unknown = createRequire(koffiPath)(koffiPath);
  if (!isKoffi(koffi)) throw new Error(`${koffiPath} is not the package koffi.`);
  const library = koffi.load(libraryPath);
  loaded.push(library);
  const declare = (declaration: string) => library.func(declaration);
  for (const [name, fields] of Object.entries(structs.fields)) koffi.struct(name, parsed(fields));
  checkDefaults(declare, structs.defaults);
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

/** Structs that functions take and return by value. */
export interface Structs {
  /** By their names, field by field as in C. */
  readonly fields: Readonly<Record<string, string>>;
  /**
   * What functions return, by their declarations: some values by which another layout is noticed before anything is
   * computed with it.
   */
  readonly defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A library that nobody refers to is unloaded, whatever calls its functions. */
const loaded: LibraryHandle[] = [];

const NONE: Structs = { fields: {}, defaults: {} };

const isKoffi = (module: unknown): module is Koffi =>
  typeof module === "object" && module !== null && "load" in module && "struct" in module;

function parsed(fields: string): Record<string, string> {
  const pairs = fields
    .trim()
    .split(/\s*,\s*/)
    .map((field) => {
      const space = field.lastIndexOf(" ");
      return [field.slice(space + 1), field.slice(0, space)] as const;
    });
  return Object.fromEntries(pairs);
}

function checkDefaults(declare: Foreign["declare"], defaults: Structs["defaults"]): void {
  for (const [declaration, expected] of Object.entries(defaults)) {
    const actual = declare(declaration)();
    for (const [field, value] of Object.entries(expected))
      if (actual[field] !== value)
        throw new Error(
          `This is another release of llama.cpp than the one it is called like: '${field}' is ${actual[field]}, not ${value}.`,
        );
  }
}
