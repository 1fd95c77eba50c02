import type { Progress } from "../progress.ts";

/** What each action of `stator models` works with. */
export interface ModelsContext {
  readonly folder: string;
  /** The models that the command line names. */
  readonly names: readonly string[];
  readonly json: boolean;
  /** Prints the result. */
  readonly print: (text: string) => void;
  /** Tells what is going on meanwhile. */
  readonly progress: Progress;
}

/** Performs the action. @returns the exit code */
export type ModelsAction = (context: ModelsContext) => Promise<number>;

/** Prints a result, as JSON if asked to. */
export function printResult({ json, print }: ModelsContext, value: unknown, text: string): void {
  print(json ? JSON.stringify(value, null, 2) : text);
}
