/**
 * The endpoint of a data-parallel rank: rank r uses port + r, as in vLLM. Port 0, a free port, stays 0.
 *
 * @throws RangeError if the endpoint is not `tcp://HOST:PORT`, or the rank's port is out of range
 */
export function rankEndpoint(endpoint: string, dataParallelRank: number): string {
  const match = /^(tcp:\/\/(?:[^\s:/]+|\[[^\s\]/]+\])):(\d+)$/.exec(endpoint);
  if (match === null) throw new RangeError(`${endpoint} is not tcp://HOST:PORT.`);
  const base = Number(match[2]);
  const port = base === 0 ? 0 : base + dataParallelRank;
  if (port > 65_535)
    throw new RangeError(`${endpoint}: there is no port ${port} for rank ${dataParallelRank}.`);
  return `${match[1]}:${port}`;
}
