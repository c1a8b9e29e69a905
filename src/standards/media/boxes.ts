import type { ByteSource } from '../byte-source.ts'

/** How an ISO base media file (MP4, QuickTime, HEIF, JPEG 2000 file) is laid out. ISO/IEC 14496-12 section 4.2. */
export interface BoxWalk {
  readonly boxes: readonly { readonly type: string; readonly offset: number; readonly length: number }[]
  /** Offset behind the last whole box. */
  readonly end: number
  readonly problem: string | null
}

const BOXES_MAX = 10_000

/** Walks the outermost boxes. A size of 0 means "to the end of the file" and ends the walk; it can never loop. */
export function walkBoxes(source: ByteSource, start = 0): BoxWalk {
  const boxes: { type: string; offset: number; length: number }[] = []
  let at = start
  while (at + 8 <= source.size && boxes.length < BOXES_MAX) {
    const head = source.read(at, at + 16)
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
    let length = view.getUint32(0)
    const type = String.fromCharCode(head[4] ?? 0, head[5] ?? 0, head[6] ?? 0, head[7] ?? 0)
    if (!isType(type)) return { boxes, end: at, problem: null }
    if (length === 1) {
      if (head.byteLength < 16) return { boxes, end: at, problem: `box ${type} is cut short` }
      length = Number(view.getBigUint64(8))
      if (length < 16) return { boxes, end: at, problem: `box ${type} claims ${length} bytes` }
    } else if (length === 0) length = source.size - at
    else if (length < 8) return { boxes, end: at, problem: `box ${type} claims ${length} bytes` }
    if (at + length > source.size) return { boxes, end: at, problem: `box ${type} reaches past the end of the file` }
    boxes.push({ type, offset: at, length })
    at += length
  }
  return { boxes, end: at, problem: boxes.length === BOXES_MAX ? `more than ${BOXES_MAX} boxes` : null }
}

function isType(type: string): boolean {
  for (let i = 0; i < 4; i++) {
    const code = type.charCodeAt(i)
    if (code < 0x20 || code > 0x7e) return false
  }
  return true
}
