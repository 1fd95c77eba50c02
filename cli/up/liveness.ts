/**
 * Asks a process for its `/live` again and again, and calls `onHang` once when it has not answered for
 * `timeoutMs`. A process that has stopped computing still holds its port and its clients.
 * @returns ends the watch
 */
export function watchLiveness(url: string, timeoutMs: number, onHang: () => void): () => void {
  const interval = timeoutMs / 4;
  let lastAnswer = performance.now();
  let isAsking = false;
  const timer = setInterval(async () => {
    if (performance.now() - lastAnswer > timeoutMs) {
      clearInterval(timer);
      onHang();
    }
    if (isAsking) return;
    isAsking = true;
    const answer = await fetch(`${url}/live`, { signal: AbortSignal.timeout(interval) }).catch(
      () => undefined,
    );
    isAsking = false;
    if (answer?.ok) lastAnswer = performance.now();
    await answer?.body?.cancel();
  }, interval);
  return () => clearInterval(timer);
}
