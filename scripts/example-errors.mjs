// Loaded before an example: prints the sentence of an error that has a code, in place of its stack.
import { inspect } from "node:util";

process.on("uncaughtException", (error) => {
  const isExpected = error instanceof Error && typeof error.code === "string";
  console.error(isExpected ? error.message.trim() : inspect(error));
  process.exit(1);
});
