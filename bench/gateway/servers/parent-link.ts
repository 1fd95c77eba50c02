/** Methods of a server's process that the benchmark can call. */
export type Methods = Record<string, (argument: never) => unknown>;

export interface Question {
  id: number;
  method: string;
  argument: unknown;
}

export type Reply = { id: number; result: unknown } | { id: number; error: string };

/** Serves the benchmark's calls over IPC, including `cpu`, and ends with the benchmark. */
export function answerParent(methods: Methods): void {
  const all: Methods = { cpu: () => process.cpuUsage(), ...methods };
  process.on("message", async ({ id, method, argument }: Question) => {
    try {
      const result: unknown = await all[method]!(argument as never);
      process.send!({ id, result } satisfies Reply);
    } catch (error) {
      process.send!({
        id,
        error: error instanceof Error ? String(error.stack) : String(error),
      } satisfies Reply);
    }
  });
  process.on("disconnect", () => process.exit(0));
}
