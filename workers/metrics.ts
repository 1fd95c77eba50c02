import {
  type Metrics,
  type ModelCard,
  type Transcribed,
  timesRealTime,
  timesRealTimeBuckets,
} from "#runtime";
import type { NatsKvEventPublisher } from "#runtime/node";
import type { Engine } from "./engine.ts";

export interface WorkerMetrics {
  requests: { inc(): void };
  tokens: { inc(value: number): void };
  /** Set if the engine transcribes. */
  speech: SpeechMetrics | undefined;
}

export interface SpeechMetrics {
  /** A transcription is complete. */
  onTranscribed(done: Transcribed): void;
}

/** A worker's metrics: its counters, and its engine's load at each scrape. */
export function createWorkerMetrics(all: Metrics, engine: Engine, card: ModelCard): WorkerMetrics {
  const read = (name: string, help: string, value: () => number) => {
    const gauge = all.gauge(`worker_${name}`, help);
    Object.assign(gauge, { collect: () => gauge.set(value()) });
  };
  read("running_requests", "Requests that hold a sequence.", () => engine.stats().running);
  read("waiting_requests", "Requests that wait for a sequence.", () => engine.stats().waiting);
  read("kv_usage", "Share of the KV cache in use, 0 to 1.", () => engine.stats().kvUsage);
  read("kv_total_blocks", "KV blocks in all.", () => card.totalBlocks * card.dataParallelSize);
  return {
    requests: all.counter("worker_requests_total", "Requests taken."),
    tokens: all.counter("worker_output_tokens_total", "Tokens generated."),
    speech: engine.transcribe && createSpeechMetrics(all),
  };
}

function createSpeechMetrics(all: Metrics): SpeechMetrics {
  const audio = all.counter("worker_audio_seconds_total", "Seconds of audio transcribed.");
  const compute = all.counter(
    "worker_audio_compute_seconds_total",
    "Seconds for which the engine computed transcriptions.",
  );
  const speed = all.histogram(
    "worker_audio_times_real_time",
    "Seconds of audio transcribed in a second of compute, of each request.",
    timesRealTimeBuckets,
  );
  return {
    onTranscribed(done) {
      audio.inc(done.audioSeconds);
      compute.inc(done.computeSeconds);
      speed.observe(timesRealTime(done));
    },
  };
}

/** Metrics of a worker that publishes its KV events to a stream. */
export function measureStream(all: Metrics, publisher: NatsKvEventPublisher): void {
  const prefix = "worker_kv_events_stream";
  all.readGauge(`${prefix}_reachable`, "1 while KV events reach the stream.", () =>
    publisher.isLive ? 1 : 0,
  );
  all.readGauge(
    `${prefix}_batches`,
    "Batches of KV events sent to the stream since the start.",
    () => publisher.published,
  );
  all.readGauge(
    `${prefix}_waiting_batches`,
    "Batches of KV events that the stream has not confirmed yet.",
    () => publisher.waiting,
  );
  all.readGauge(
    `${prefix}_snapshots`,
    "Snapshots of the KV cache written to the stream since the start.",
    () => publisher.snapshots,
  );
}
