import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/**
 * Runs jobs in order in threads of `file`, one per core. Jobs and results are copied. The file must call `serveJobs`
 * with the function that runs a job.
 */
export async function runJobs<Job, Result>(
  file: URL,
  setup: unknown,
  jobs: readonly Job[],
  onResult: (job: Job, result: Result) => void,
): Promise<void> {
  const waiting = [...jobs];
  const threads = Array.from({ length: Math.min(availableParallelism(), jobs.length) }, async () => {
    const thread = new Worker(file, {
      workerData: setup,
      // A thousand workers' caches have an object per block.
      resourceLimits: { maxOldGenerationSizeMb: 8192 },
    });
    try {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        onResult(job, await ask<Job, Result>(thread, job));
      }
    } finally {
      await thread.terminate();
    }
  });
  await Promise.all(threads);
}

/** Called in a thread: runs jobs one after the other. @param createRunner called once with the setup */
export async function serveJobs<Setup, Job, Result>(
  createRunner: (setup: Setup) => Promise<(job: Job) => Result | Promise<Result>>,
): Promise<void> {
  if (isMainThread) throw new Error("This file only runs in a thread of a benchmark.");
  const runner = createRunner(workerData as Setup);
  parentPort!.on("message", async (job: Job) => parentPort!.postMessage(await (await runner)(job)));
}

function ask<Job, Result>(thread: Worker, job: Job): Promise<Result> {
  return new Promise((resolve, reject) => {
    thread.once("error", reject);
    thread.once("message", (result: Result) => {
      thread.off("error", reject);
      resolve(result);
    });
    thread.postMessage(job);
  });
}
