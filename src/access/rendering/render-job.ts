import type { Window } from '#standards/pixels/grey-transform.ts'

/** Part of an image, in pixels of the image. A negative extent flips it. PS3.18 section 8.3.5.1.3. */
export interface SourceRegion {
  readonly x: number
  readonly y: number
  /** 0: to the edge. */
  readonly width: number
  readonly height: number
}

/** Largest extent of the answer, the ratio of the sides kept. */
export interface Viewport {
  readonly width: number
  readonly height: number
  readonly region: SourceRegion | null
}

export type PictureType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp'

/** How a picture is wanted. */
export interface PictureWish {
  readonly type: PictureType
  readonly viewport: Viewport | null
  /** Instead of what the object says; in values after the modality's transformation. */
  readonly window: Window | null
  /** 1 to 100, for lossy types. */
  readonly quality: number
}

/** Frames of one object, for a thread that renders. Offsets and tags are those of the data set. */
export interface FrameJob {
  /** The data set up to its pixels, as stored. */
  readonly head: Uint8Array
  readonly transferSyntaxUID: string
  readonly pixelTag: number
  /** Compressed ones as code streams, native ones in little endian. */
  readonly frames: readonly { readonly number: number; readonly bytes: Uint8Array }[]
  readonly compressed: boolean
}

export type RenderJob =
  | ({ readonly is: 'picture'; readonly wish: PictureWish } & FrameJob)
  | ({ readonly is: 'decode' } & FrameJob)

export interface Picture {
  readonly bytes: Uint8Array
  readonly type: string
  readonly columns: number
  readonly rows: number
}

/** Native samples, little endian, and what the attributes would have to say of them. */
export interface DecodedSamples {
  readonly bytes: Uint8Array
  readonly photometric: string
  readonly planar: boolean
}

export type RenderAnswer =
  | { readonly ok: true; readonly picture: Picture }
  | { readonly ok: true; readonly samples: readonly DecodedSamples[] }
  | {
      readonly ok: false
      /** `cannot`: this object has no such form; `malformed`: its bytes do not decode; `limit`: too large. */
      readonly why: 'cannot' | 'malformed' | 'limit'
      readonly detail: string
    }
