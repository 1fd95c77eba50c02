import { Silence } from "./silence.ts";

/**
 * Polls a process's `/live`, and calls `onHang` once when it has not answered for `timeoutMs`, nor to one more request
 * after that: a hung process still holds its port and its clients.
 * @returns a function that stops watching
 */
export function watchLiveness(url: string, timeoutMs: number, onHang: () => void): () => void {
  const interval = timeoutMs / 4;
  const silence = new Silence(interval);
  let isPending = false;
  const timer = setInterval(async () => {
    const silentMs = silence.measure();
    if (isPending) return;
    isPending = true;
    const isAlive = await answers(url, interval);
    isPending = false;
    if (isAlive) silence.reset();
    else if (silentMs > timeoutMs) {
      clearInterval(timer);
      onHang();
    }
  }, interval);
  return () => clearInterval(timer);
}

async function answers(url: string, withinMs: number): Promise<boolean> {
  const answer = await fetch(`${url}/live`, { signal: AbortSignal.timeout(withinMs) }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}
