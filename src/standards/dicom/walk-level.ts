import { type Encoding, IMPLICIT_LE } from './encoding.ts'
import type { TagSet } from './tag-set.ts'

/** One data set on the way down: the outermost one, or an item and the sequence it is in. */
export class WalkLevel {
  sequenceTag = 0
  sequenceEnd = 0
  sequenceOpen = false
  itemIndex = 0
  inItem = false
  itemEnd = 0
  itemOpen = false
  lastTag = -1
  tagsFrom = 0
  seen: TagSet | null = null
  encoding: Encoding = IMPLICIT_LE
  signed = false
  creators: Map<number, string> | null = null

  startDataSet(end: number, open: boolean, tagsFrom: number, signed: boolean): void {
    this.inItem = true
    this.itemEnd = end
    this.itemOpen = open
    this.lastTag = -1
    this.tagsFrom = tagsFrom
    this.seen = null
    this.signed = signed
    this.creators = null
  }
}
