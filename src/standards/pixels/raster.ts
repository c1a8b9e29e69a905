/** A picture to be looked at: 8 bits a channel, rows from the top. */
export interface Raster {
  readonly columns: number
  readonly rows: number
  /** Grey, or red, green, blue. */
  readonly channels: 1 | 3
  readonly pixels: Uint8Array
}
