/**
 * A backend of your own in front of a model: it prepares media, and has the model answer. Of a video, it samples frames, and
 * sends them as images; a sound it decodes, and resamples to what speech encoders take, 16,000 samples a second in one channel.
 *
 * Videos are MP4, QuickTime, WebM or Matroska (with the packages of `npm run -s video`), or lists of frames
 * (`data:video/jpeg;base64,FRAME,FRAME,…`, as vLLM takes them). Sounds are WAV, MP3, FLAC, and Ogg with Vorbis or Opus.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { z } from "zod";
import { decodeAudio } from "#workers";
import type { VideoFrames } from "./decode-video.ts";
import { dataUrl, wav } from "./media.ts";
import { isFrameList, type Sampling, sampleFrames, samplingSchema } from "./sample-frames.ts";

export interface ProcessorOptions {
  /** Its name as a model. */
  readonly name: string;
  /** The model that answers, and where. */
  readonly model: string;
  upstream(): string;
  log(message: string): void;
  /** Decodes videos in containers; undefined if there is no decoder. */
  readonly videos?: VideoFrames | undefined;
}

export interface Processor {
  readonly url: string;
  close(): Promise<void>;
}

/** Samples a second of what it sends. */
const RATE = 16_000;

/** Starts the backend: an HTTP server with OpenAI's chats, which `stator attach` takes like any engine. */
export async function startProcessor(options: ProcessorOptions): Promise<Processor> {
  const server = createServer((request, response) => {
    void answer(options, request, response).catch((error: unknown) =>
      send(response, 400, { error: { message: String(error instanceof Error ? error.message : error) } }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  options: ProcessorOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { name, model, upstream } = options;
  if (request.url === "/health") return send(response, 200, {});
  if (request.url === "/v1/models")
    return send(response, 200, {
      object: "list",
      data: [{ id: name, object: "model", owned_by: "example" }],
    });
  if (request.method !== "POST" || request.url !== "/v1/chat/completions")
    return send(response, 404, { error: { message: "Only chats are served here." } });
  const { media_io_kwargs: sampling, ...chat } = chatSchema.parse(await json(request));
  const messages = [];
  for (const message of chat.messages) {
    const { content } = message;
    const parts = Array.isArray(content)
      ? (await Promise.all(content.map((part) => prepared(part, sampling, options)))).flat()
      : content;
    messages.push({ ...message, content: parts });
  }
  const answered = await fetch(`${upstream()}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...chat, messages, model, stream: false }),
  });
  const body: object = z.looseObject({}).parse(await answered.json());
  send(response, answered.status, { ...body, model: name });
}

const chatSchema = z.looseObject({
  messages: z.array(
    z.looseObject({
      content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).nullish(),
    }),
  ),
  /** As vLLM's: `{"video": {"num_frames": 4}}`, or `{"video": {"fps": 1}}`. */
  media_io_kwargs: z.looseObject({ video: samplingSchema.optional() }).optional(),
});

const videoPart = z.object({ type: z.literal("video_url"), video_url: z.object({ url: z.string() }) });
const soundPart = z.object({ type: z.literal("input_audio"), input_audio: z.object({ data: z.string() }) });

/** The parts that a part becomes. */
async function prepared(
  part: unknown,
  sampling: z.infer<typeof chatSchema>["media_io_kwargs"],
  { log, videos }: ProcessorOptions,
): Promise<unknown[]> {
  const video = videoPart.safeParse(part);
  if (video.success) {
    const { images, of } = await framesOf(video.data.video_url.url, sampling?.video ?? {}, videos);
    log(`sampled ${images.length} of ${of} frames`);
    return images.map((url) => ({ type: "image_url", image_url: { url } }));
  }
  const sound = soundPart.safeParse(part);
  if (!sound.success) return [part];
  const samples = await decodeAudio(Buffer.from(sound.data.input_audio.data, "base64"));
  log(`resampled ${(samples.length / RATE).toFixed(1)} s of sound to ${RATE} Hz`);
  return [{ type: "audio_url", audio_url: { url: dataUrl("audio/wav", wav(samples, RATE)) } }];
}

/** @returns the chosen frames as data: URLs, and of how many */
async function framesOf(
  url: string,
  sampling: Sampling,
  videos: VideoFrames | undefined,
): Promise<{ images: readonly string[]; of: number }> {
  if (isFrameList(url)) {
    const { frames, of } = sampleFrames(url, sampling);
    return { images: frames.map((frame) => `data:image/jpeg;base64,${frame}`), of };
  }
  if (videos === undefined)
    throw new Error('This processor decodes no containers. Start it with --videos "$(npm run -s video)".');
  const file = Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
  const { frames, of } = await videos.sample(file, sampling);
  return { images: frames.map((frame) => dataUrl("image/png", frame)), of };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
