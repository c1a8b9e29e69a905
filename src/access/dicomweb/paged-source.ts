import type { Location } from '#model/archive-object.ts'
import { StoredPages } from '#storage/stored-pages.ts'
import type { RangedReads } from './send.ts'

/** A stored entry for parsers that read synchronously, its reads sharing the bound of all answers under way. */
export class PagedSource extends StoredPages {
  constructor(reads: RangedReads, at: Location) {
    super((start, end) => reads.read(at, start, end), at.length)
  }
}
