/** Tags an image needs. Everything else may carry anything. threats.md section 2 rule 5. */

export const ICC_TAG = 34675

/**
 * Ranges of tags: TIFF 6.0 baseline and extensions with supplements 1 and 2, YCbCr, XMP, image depth, copyright, EXIF
 * pointer, ICC. Old-style JPEG (512 to 521) is not among them: its offsets are a second pixel store.
 */
const ranges: readonly (readonly [first: number, last: number])[] = [
  [254, 259],
  [262, 266],
  [269, 274],
  [277, 293],
  [296, 297],
  [301, 301],
  [305, 306],
  [315, 325],
  [330, 330],
  [332, 334],
  [336, 342],
  [347, 347],
  [529, 532],
  [700, 700],
  [32997, 32998],
  [33432, 33432],
  [34665, 34665],
  [ICC_TAG, ICC_TAG],
]

const MAKER_NOTE = 37500

export function isKnownTiffTag(kind: 'image' | 'exif', tag: number): boolean {
  if (ranges.some(([first, last]) => tag >= first && tag <= last)) return true
  // EXIF 2.32 attribute numbers; the maker note is free space.
  return kind === 'exif' && tag >= 33434 && tag <= 42240 && tag !== MAKER_NOTE
}
