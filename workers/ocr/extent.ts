/** An upright rectangle around a line, in a picture that is turned until its text is level. */
export interface Extent {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const middleX = ({ left, right }: Extent): number => (left + right) / 2;
export const middleY = ({ top, bottom }: Extent): number => (top + bottom) / 2;
export const heightOf = ({ top, bottom }: Extent): number => bottom - top;
export const widthOf = ({ left, right }: Extent): number => right - left;
