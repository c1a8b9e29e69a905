import type { ByteSource } from '#standards/byte-source.ts'
import type { Encoding } from '#standards/dicom/encoding.ts'
import { tagText } from '#standards/dicom/errors.ts'
import { DEFAULT_LIMITS } from '#standards/dicom/limits.ts'
import { QuietVisitor } from '#standards/dicom/quiet-visitor.ts'
import { walkDataSet } from '#standards/dicom/walk.ts'

/** A value that was found: zero-based bytes in the data set. */
export interface FoundValue {
  readonly vr: string
  readonly offset: number
  readonly length: number
  /** How its numbers are written. */
  readonly bigEndian: boolean
}

/** Parts a path may have: tags and item numbers, as deep as data sets are read. */
const PARTS_MAX = 2 * DEFAULT_LIMITS.depth + 1

/**
 * Reads where a value is: `00420011` or `54000100/0/54001010`, tags of eight hexadecimal digits with item numbers
 * from 0 between them.
 * @returns the path in its one spelling, or undefined for anything else
 */
export function parseBulkPath(text: string): string | undefined {
  const parts = text.split('/', PARTS_MAX + 1)
  if (parts.length % 2 === 0 || parts.length > PARTS_MAX) return undefined
  const path: string[] = []
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (!(i % 2 === 0 ? /^[0-9A-Fa-f]{8}$/ : /^[0-9]{1,7}$/).test(part)) return undefined
    path.push(i % 2 === 0 ? part.toUpperCase() : String(Number(part)))
  }
  return path.join('/')
}

/** Ends a walk once all that was wanted is found. */
class Complete extends Error {}

class PathCollector extends QuietVisitor {
  readonly found = new Map<string, FoundValue>()
  readonly #wanted: ReadonlySet<string>
  /** Beginnings of wanted paths, each up to a tag or an item number. */
  readonly #ways = new Set<string>()
  /** Path of the data set at each depth, with a slash behind it; null where nothing wanted lies. */
  readonly #prefixes: (string | null)[] = ['']
  readonly #sequences: (string | null)[] = []
  readonly #encodings: Encoding[]

  constructor(wanted: ReadonlySet<string>, encoding: Encoding) {
    super()
    this.#wanted = wanted
    this.#encodings = [encoding]
    for (const path of wanted) {
      for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) this.#ways.add(path.slice(0, at))
    }
  }

  override element(tag: number, vr: string, offset: number, length: number, depth: number): void {
    const prefix = this.#prefixes[depth]
    if (prefix == null) return
    const path = prefix + tagText(tag)
    if (!this.#wanted.has(path) || this.found.has(path)) return
    this.found.set(path, { vr, offset, length, bigEndian: this.#encodings[depth]!.bigEndian })
    if (this.found.size === this.#wanted.size) throw new Complete()
  }

  override startSequence(
    tag: number,
    _vr: string,
    _offset: number,
    _length: number,
    depth: number,
    _header: number,
    encoding: Encoding,
  ): void {
    const prefix = this.#prefixes[depth]
    const path = prefix == null ? null : prefix + tagText(tag)
    this.#sequences[depth + 1] = path !== null && this.#ways.has(path) ? path : null
    this.#encodings[depth + 1] = encoding
  }

  override startItem(index: number, _offset: number, _length: number, depth: number): void {
    const sequence = this.#sequences[depth]
    const path = sequence == null ? null : `${sequence}/${index}`
    this.#prefixes[depth] = path !== null && this.#ways.has(path) ? `${path}/` : null
  }
}

/**
 * Finds values that are neither sequences nor encapsulated, in one walk that ends with the last of them. Of duplicates
 * the first counts.
 * @param wanted paths as parseBulkPath spells them
 * @throws DicomError where the data set cannot be read so far
 */
export function findValues(
  dataSet: ByteSource,
  encoding: Encoding,
  wanted: ReadonlySet<string>,
): Map<string, FoundValue> {
  const collector = new PathCollector(wanted, encoding)
  try {
    if (wanted.size > 0) walkDataSet(dataSet, encoding, 0, dataSet.size, collector, DEFAULT_LIMITS)
  } catch (error) {
    if (!(error instanceof Complete)) throw error
  }
  return collector.found
}
