import type { Tools } from "../types.ts";
import { Nonsense } from "./text-reader.ts";

/** A function's name as the model wrote it, without blanks around it. @throws Nonsense if it cannot be one */
export function functionName(text: string): string {
  const name = text.trim();
  if (name === "" || /[\s<>"'{}()[\]]/.test(name)) throw new Nonsense(`${name} is no function's name.`);
  return name;
}

/** For text that begins calls and ordinary text alike. @throws Nonsense if there is no such function */
export function declaredName(text: string, tools: Tools): string {
  const name = text.trim();
  if (!tools.has(name)) throw new Nonsense(`There is no function ${name}.`);
  return name;
}
