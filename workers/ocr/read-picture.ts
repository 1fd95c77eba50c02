import { cropLine } from "./crop.ts";
import type { ReadText } from "./ctc.ts";
import { decodePicture } from "./decode-picture.ts";
import type { Detector } from "./detector.ts";
import { cornersOf, type LineBox, turnedOver } from "./geometry.ts";
import type { TextLine } from "./messages.ts";
import type { Picture } from "./picture.ts";
import { inReadingOrder } from "./reading-order.ts";
import { type Recogniser, STRIP_HEIGHT } from "./recogniser.ts";
import type { Sharp } from "./sharp.ts";
import type { TurnClassifier } from "./turn-classifier.ts";

/** What a picture is read with. */
export interface Models {
  readonly sharp: Sharp;
  readonly detector: Detector;
  readonly classifier: TurnClassifier;
  readonly recogniser: Recogniser;
}

/** Lines below it are no text. PaddleOCR's number. */
const LOWEST_SCORE = 0.5;
/** A line that reads worse is read upside down too, and the better one taken. */
const SURE_SCORE = 0.8;
/** The classifier is often wrong below it. PaddleOCR's number. */
const SURE_TURNED = 0.9;

/**
 * The recogniser leaves out most spaces of a line as the detector bounds it. With room above and below, and letters closer
 * together, it reads more of them.
 */
const ROOM = 1.2;
const SQUEEZE = 0.9;

interface ReadLine extends ReadText {
  readonly box: LineBox;
}

/**
 * Reads a picture.
 * @param isCancelled asked before each line; if it is, there are no lines
 * @returns its lines in reading order
 * @throws PictureError if the file is not a picture that can be read
 */
export async function readPicture(
  models: Models,
  file: Uint8Array,
  isCancelled: () => boolean,
): Promise<readonly TextLine[]> {
  if (isCancelled()) return [];
  const picture = await decodePicture(models.sharp, file);
  if (isCancelled()) return [];
  const lines: ReadLine[] = [];
  for (const box of await models.detector.detect(picture, isCancelled)) {
    if (isCancelled()) return [];
    const line = await readLine(models, picture, box);
    if (line.text !== "" && line.score >= LOWEST_SCORE) lines.push(line);
  }
  return inReadingOrder(lines).map(({ line: { text, score, box }, row }) => ({
    ...{ text, score, row },
    box: cornersOf({
      center: { x: box.center.x / picture.scale, y: box.center.y / picture.scale },
      length: box.length / picture.scale,
      thickness: box.thickness / picture.scale,
      angle: box.angle,
    }),
  }));
}

async function readLine(models: Models, picture: Picture, detected: LineBox): Promise<ReadLine> {
  const { classifier, recogniser } = models;
  const strip = stripOf(picture, detected);
  const isTurned = (await classifier.isTurned(strip)) > SURE_TURNED;
  const first = isTurned ? turnedOver(detected) : detected;
  const read = async (box: LineBox, known?: Picture): Promise<ReadLine> => ({
    ...(await recogniser.read(known ?? stripOf(picture, box))),
    box,
  });
  const line = await read(first, isTurned ? undefined : strip);
  if (line.score >= SURE_SCORE) return line;
  const other = await read(turnedOver(first));
  return other.score > line.score ? other : line;
}

const stripOf = (picture: Picture, box: LineBox): Picture =>
  cropLine(picture, { ...box, thickness: box.thickness * ROOM }, STRIP_HEIGHT, SQUEEZE);
