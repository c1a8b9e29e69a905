import { isAsciiCompatible } from './charset.ts'
import type { PickList } from './pick-list.ts'

/** One data set or item that is being written. */
export class JsonLevel {
  charsets: readonly string[] = []
  asciiCompatible = true
  /** Index of its first element among all that are open. */
  from = 0
  lastTag = -1
  unordered = false
  items = 0
  bigEndian = false
  picks: PickList | null = null
  tag = 0

  setCharsets(charsets: readonly string[]): void {
    this.charsets = charsets
    this.asciiCompatible = isAsciiCompatible(charsets)
  }
}
