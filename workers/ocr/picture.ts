/** A decoded picture: red, green and blue of each pixel, row by row. */
export interface Picture {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export const CHANNELS = 3;
