import { Silence } from "./silence.ts";

/**
 * Asks a process for its `/live` again and again, and calls `onHang` once when it has not answered for
 * `timeoutMs`, nor once more after that. A process that has stopped computing still holds its port and its clients.
 * @returns ends the watch
 */
export function watchLiveness(url: string, timeoutMs: number, onHang: () => void): () => void {
  const interval = timeoutMs / 4;
  const silence = new Silence(interval);
  let isAsking = false;
  const timer = setInterval(async () => {
    const silentMs = silence.look();
    if (isAsking) return;
    isAsking = true;
    const isAlive = await answers(url, interval);
    isAsking = false;
    if (isAlive) silence.end();
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
