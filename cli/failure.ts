/** The message and the exit code for an error that ends a command. */
export function failureOf(error: unknown): { readonly message: string; readonly exitCode: number } {
  const message = error instanceof Error ? error.message : String(error);
  return { message, exitCode: error instanceof Error && error.name === "UsageError" ? 2 : 1 };
}
