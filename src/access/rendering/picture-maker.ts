import { ArchiveError } from '#errors.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import { frameCount } from '#standards/dicom/frames.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { type FrameReads, frameJob } from './frame-job.ts'
import type { Picture, PictureWish } from './render-job.ts'
import type { RenderPool } from './render-pool.ts'

/** What was made lately is kept, up to so many bytes. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024
const KEPT_ONE_MAX = 1024 * 1024
/** Frames of one animation. */
const ANIMATION_MAX = 600

/** Makes pictures of stored objects, each once at a time, and keeps the small ones it made lately. */
export class PictureMaker {
  readonly #from: FrameReads
  readonly #pool: RenderPool
  readonly #kept = new Map<string, Picture>()
  readonly #made = new Map<string, Promise<Picture>>()
  #keptBytes = 0

  constructor(from: FrameReads, pool: RenderPool) {
    this.#from = from
    this.#pool = pool
  }

  /**
   * @param frame from 1; null for the one that stands for the object, or all of them where the type is animated
   * @throws ArchiveError 'request.not-acceptable' for what cannot be drawn; what frameJob and RenderPool throw
   */
  async picture(instance: StoredInstance, frame: number | null, wish: PictureWish): Promise<Picture> {
    const key = JSON.stringify([instance.digests.kept, frame, wish])
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      return kept
    }
    const underWay = this.#made.get(key)
    if (underWay !== undefined) return underWay
    const making = this.#make(instance, frame, wish).finally(() => this.#made.delete(key))
    this.#made.set(key, making)
    const picture = await making
    this.#keep(key, picture)
    return picture
  }

  async #make(instance: StoredInstance, frame: number | null, wish: PictureWish) {
    const table = instance.frames
    if (table === null || transferSyntax(instance.transferSyntaxUID)?.multiFrameVideo === true) {
      throw new ArchiveError('request.not-acceptable', 'this kind of object is not drawn as a picture', {
        hint: 'Retrieve it in its own form.',
      })
    }
    const job = await frameJob(this.#from, instance, framesOf(frameCount(table), frame, wish))
    return this.#pool.picture({ is: 'picture', wish, ...job })
  }

  #keep(key: string, picture: Picture): void {
    if (picture.bytes.byteLength > KEPT_ONE_MAX || this.#kept.has(key)) return
    this.#kept.set(key, picture)
    this.#keptBytes += picture.bytes.byteLength
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES_MAX) return
      this.#kept.delete(oldest)
      this.#keptBytes -= bytes.byteLength
    }
  }
}

/** The middle one stands for all. */
function framesOf(count: number, frame: number | null, { type }: PictureWish): number[] {
  if (frame !== null) return [frame]
  if (type !== 'image/gif' || count === 1) return [Math.ceil(count / 2)]
  if (count > ANIMATION_MAX) throw new ArchiveError('dicom.limit', `an animation of more than ${ANIMATION_MAX} frames`)
  return Array.from({ length: count }, (_, i) => i + 1)
}
