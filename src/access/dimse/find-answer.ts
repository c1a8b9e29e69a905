import { encodeText, isAsciiCompatible } from '#standards/dicom/charset.ts'
import { encodingOf } from '#standards/dicom/encoding.ts'
import { encodeNumbers } from '#standards/dicom/number-text.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { isSingleText, kindOf } from '#standards/dicom/value-representation.ts'
import { encodeDataSet, type WriteDataSet, type WriteElement } from '#standards/dicom/write.ts'
import type { AskedKey, FindPlan } from './find-plan.ts'
import { QUERY_LEVEL } from './identifier.ts'

/** One attribute of a search row: the DICOM JSON Model, as our own search writes it. */
interface Member {
  readonly vr: string
  readonly Value?: readonly unknown[]
  readonly InlineBinary?: string
}

type Row = { readonly [key: string]: Member | undefined }

const UTF8 = ['ISO_IR 192']
const CHARSET = 0x00080005
const EMPTY = new Uint8Array(0)

/** Turns search rows into the identifiers of C-FIND responses. PS3.4 section C.4.1.1.3.2. */
export class FindAnswers {
  readonly #plan: Pick<FindPlan, 'keys' | 'charsets'>
  readonly #encoding: ReturnType<typeof encodingOf>
  readonly #own: readonly WriteElement[]
  readonly #asciiCharsets: readonly string[] | null

  /** @param aeTitle of the archive; null for a worklist, whose answers have neither level nor place */
  constructor(
    plan: Pick<FindPlan, 'keys' | 'charsets'> & { readonly level?: FindPlan['level'] },
    transferSyntaxUID: string,
    aeTitle: string | null,
  ) {
    this.#plan = plan
    const syntax = transferSyntax(transferSyntaxUID)
    if (syntax === undefined) throw new RangeError(`nobody negotiated ${transferSyntaxUID}`)
    this.#encoding = encodingOf(syntax)
    this.#own =
      aeTitle === null
        ? []
        : [
            ascii(QUERY_LEVEL, 'CS', plan.level ?? ''),
            ascii(0x00080054, 'AE', aeTitle),
            ascii(0x00080056, 'CS', 'ONLINE'),
          ]
    // Null: even plain text has to be coded anew (ISO-IR 13 has other signs in the place of two of ASCII).
    this.#asciiCharsets = isAsciiCompatible(plan.charsets) ? plan.charsets : null
  }

  /** @param json one row, as the search rendered it */
  encode(json: string): Uint8Array {
    const row = JSON.parse(json) as Row
    // The repertoire of the asker when it holds every sign, else UTF-8. Most answers are plain.
    const plain = this.#asciiCharsets === null ? undefined : this.#tryWrite(row, this.#asciiCharsets, true)
    if (plain !== undefined) return plain
    const wanted = this.#plan.charsets
    const inTheirs = wanted.length === 0 ? undefined : this.#tryWrite(row, wanted, false)
    return inTheirs ?? this.#write(row, UTF8, false)
  }

  #tryWrite(row: Row, charsets: readonly string[], plain: boolean): Uint8Array | undefined {
    try {
      return this.#write(row, charsets, plain)
    } catch (error) {
      if (error instanceof NotInRepertoire) return undefined
      throw error
    }
  }

  #write(row: Row, charsets: readonly string[], plain: boolean): Uint8Array {
    const dataSet: WriteDataSet = new Map()
    if (charsets.length > 0) {
      const element = ascii(CHARSET, 'CS', charsets.join('\\'))
      dataSet.set(CHARSET, element)
    }
    for (const element of this.#own) dataSet.set(element.tag, element)
    for (const key of this.#plan.keys) dataSet.set(key.tag, elementOf(key, row[key.key], charsets, plain))
    return joinPieces(encodeDataSet(dataSet, this.#encoding))
  }
}

/** True when a text needs one byte for each of its characters. */
function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

/** A text that the character sets do not hold. Caught here, never seen outside. */
class NotInRepertoire extends Error {}

function ascii(tag: number, vr: string, text: string): WriteElement {
  return { tag, vr, value: { is: 'bytes', bytes: Buffer.from(text, 'latin1') } }
}

/** A key that the row has no value for is answered empty. */
function elementOf(
  key: AskedKey,
  member: Member | undefined,
  charsets: readonly string[],
  plain: boolean,
): WriteElement {
  const { tag } = key
  if (member === undefined) {
    return key.vr === 'SQ'
      ? { tag, vr: 'SQ', value: { is: 'items', items: [] } }
      : { tag, vr: key.vr, value: { is: 'bytes', bytes: EMPTY } }
  }
  if (member.vr === 'SQ') {
    const items = (member.Value ?? []).map((item) => itemOf(key, item as Row, charsets, plain))
    return { tag, vr: 'SQ', value: { is: 'items', items } }
  }
  return { tag, vr: member.vr, value: { is: 'bytes', bytes: bytesOf(tag, member, charsets, plain) } }
}

function itemOf(key: AskedKey, row: Row, charsets: readonly string[], plain: boolean): WriteDataSet {
  const dataSet: WriteDataSet = new Map()
  for (const within of key.items) dataSet.set(within.tag, elementOf(within, row[within.key], charsets, plain))
  if (key.items.length > 0) return dataSet
  for (const [name, member] of Object.entries(row)) {
    if (member === undefined) continue
    const tag = Number.parseInt(name, 16)
    dataSet.set(tag, elementOf({ tag, key: name, vr: member.vr, items: [] }, member, charsets, plain))
  }
  return dataSet
}

function bytesOf(tag: number, member: Member, charsets: readonly string[], plain: boolean): Uint8Array {
  const { vr, Value: values } = member
  if (member.InlineBinary !== undefined) return Buffer.from(member.InlineBinary, 'base64')
  if (values === undefined) return EMPTY
  const kind = kindOf(vr)
  const texts = values.map(textOf)
  if (kind === 'number' || kind === 'tag') return encodeNumbers(tag, vr, texts)
  const text = texts.length === 1 ? (texts[0] ?? '') : texts.join('\\')
  if (kind !== 'text' && kind !== 'name') return Buffer.from(text, 'latin1')
  if (plain) {
    if (!isAscii(text)) throw new NotInRepertoire()
    return Buffer.from(text, 'latin1')
  }
  const bytes = encodeText(text, charsets, kind === 'name' ? 'pn' : isSingleText(vr) ? 'text' : 'single')
  if (bytes === undefined) throw new NotInRepertoire()
  return bytes
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return ''
  const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as { readonly [group: string]: string | undefined }
  if (Ideographic === '' && Phonetic === '') return Alphabetic
  return `${Alphabetic}=${Ideographic}=${Phonetic}`.replace(/=+$/, '')
}
