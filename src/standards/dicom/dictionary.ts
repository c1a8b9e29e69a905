import { DICTIONARY } from './generated/dictionary.ts'
import { PRIVATE_DICTIONARY } from './generated/private-dictionary.ts'

/** What PS3.6 says of an attribute. */
export interface DictionaryEntry {
  /** Two letters. Where PS3.6 leaves a choice: US for "US or SS", OW for "OB or OW" and "US or OW". */
  readonly vr: string
  /** Empty for a private attribute without a known name. */
  readonly keyword: string
  readonly vm: string
  /** The keyword in words, for a person. */
  readonly name: string
  readonly retired: boolean
}

/** The two letters a tag gets when its VR depends on the data set. */
type Choice = 'US or SS' | 'OB or OW' | 'US or OW'

const CHOICES: Readonly<Record<string, { vr: string; choice: Choice }>> = {
  xs: { vr: 'US', choice: 'US or SS' },
  ox: { vr: 'OW', choice: 'OB or OW' },
  xw: { vr: 'OW', choice: 'US or OW' },
}

interface Tables {
  readonly rows: Map<number, Row>
  /** Repeating groups by `GGxxEEEE`: key is (GG << 16 | EEEE). */
  readonly repeatingGroups: Map<number, Row>
  /** Repeating elements by `GGGGEExx`: key is (GGGG << 8 | EE). */
  readonly repeatingElements: Map<number, Row>
}

let tables: Tables | undefined
let tagsByKeyword: Map<string, number> | undefined
let privateRows: Map<string, Map<number, Row>> | undefined

/** `PatientID` becomes `Patient ID`, `SOPInstanceUID` becomes `SOP Instance UID`. */
function words(keyword: string): string {
  return keyword.replace(/([a-z\d])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
}

class Row implements DictionaryEntry {
  readonly vr: string
  readonly vm: string
  readonly keyword: string
  readonly retired: boolean
  readonly choice: Choice | undefined

  constructor(vr: string, vm: string, keyword: string, retired: boolean) {
    const open = CHOICES[vr]
    this.vr = open === undefined ? vr : open.vr
    this.choice = open?.choice
    this.vm = vm
    this.keyword = keyword
    this.retired = retired
  }

  get name(): string {
    return words(this.keyword)
  }
}

function load(): Tables {
  if (tables !== undefined) return tables
  const made: Tables = { rows: new Map(), repeatingGroups: new Map(), repeatingElements: new Map() }
  for (const line of DICTIONARY.split('\n')) {
    const [tag = '', vr = '', vm = '', keyword = '', retired] = line.split(' ')
    const entry = new Row(vr, vm, keyword, retired === 'R')
    if (tag.startsWith('xx', 2)) made.repeatingGroups.set(Number.parseInt(tag.slice(0, 2) + tag.slice(4), 16), entry)
    else if (tag.endsWith('xx')) made.repeatingElements.set(Number.parseInt(tag.slice(0, 6), 16), entry)
    else made.rows.set(Number.parseInt(tag, 16), entry)
  }
  tables = made
  return made
}

function loadPrivate(): Map<string, Map<number, Row>> {
  if (privateRows !== undefined) return privateRows
  const made = new Map<string, Map<number, Row>>()
  let block = new Map<number, Row>()
  for (const line of PRIVATE_DICTIONARY.split('\n')) {
    if (line.startsWith('=')) {
      block = new Map()
      made.set(line.slice(1), block)
      continue
    }
    const [key = '', vr = '', vm = '', ...name] = line.split(' ')
    block.set(Number.parseInt(key, 16), new Row(vr, vm, name.join(' '), false))
  }
  privateRows = made
  return made
}

function find(tag: number, privateCreator?: string): Row | undefined {
  const { rows, repeatingGroups, repeatingElements } = load()
  const exact = rows.get(tag)
  if (exact !== undefined) return exact
  const group = tag >>> 16
  const element = tag & 0xffff
  if (element === 0) return GROUP_LENGTH
  if ((group & 1) === 1) {
    if (element >= 0x10 && element <= 0xff) return PRIVATE_CREATOR
    if (privateCreator === undefined || element < 0x1000) return undefined
    return loadPrivate()
      .get(privateCreator.trim())
      ?.get((group << 8) | (element & 0xff))
  }
  return repeatingGroups.get((((group >>> 8) << 16) | element) >>> 0) ?? repeatingElements.get(tag >>> 8)
}

const GROUP_LENGTH = new Row('UL', '1', 'GenericGroupLength', true)
const PRIVATE_CREATOR = new Row('LO', '1', 'PrivateCreator', false)

/**
 * The dictionary's entry for a tag. PS3.6; private attributes by their creator where it is known.
 *
 * @param tag group and element as one number: `(gggg << 16 | eeee) >>> 0`
 * @param privateCreator value of the private creator element that reserved the block
 * @returns undefined when the dictionary does not know the tag
 */
export function lookup(tag: number, privateCreator?: string): DictionaryEntry | undefined {
  return find(tag, privateCreator)
}

/** @returns the tag of a keyword such as `PatientID`, or undefined. Repeating groups have no single tag. */
export function tagOf(keyword: string): number | undefined {
  if (tagsByKeyword === undefined) {
    const made = new Map<string, number>()
    // A keyword of a retired attribute must not hide a current one.
    for (const [tag, entry] of load().rows) if (entry.retired) made.set(entry.keyword, tag)
    for (const [tag, entry] of load().rows) if (!entry.retired && tag !== 0) made.set(entry.keyword, tag)
    tagsByKeyword = made
  }
  return tagsByKeyword.get(keyword)
}

/**
 * The same as `tagOf`, for tables that are made while the archive starts: looks for one line, where the whole dictionary
 * takes 10 ms to read. Not for names from outside: each costs a walk over half a megabyte of text.
 */
export function tagNamed(keyword: string): number | undefined {
  // A keyword ends its line, or stands before the mark of a retired attribute, which gives way to a current one.
  for (const ending of ['\n', ' R\n']) {
    const at = DICTIONARY.indexOf(` ${keyword}${ending}`)
    if (at < 0) continue
    const tag = DICTIONARY.slice(DICTIONARY.lastIndexOf('\n', at) + 1, at).split(' ')[0] ?? ''
    if (/^[0-9A-Fa-f]{8}$/.test(tag)) return Number.parseInt(tag, 16)
  }
  return tagOf(keyword)
}

/**
 * The VR of a tag in an implicit VR data set. PS3.5 section 6.2.2 and Annex A.1.
 *
 * @returns `UN` for a tag nobody knows, `UL` for a group length, `LO` for a private creator
 */
export function vrOf(tag: number, privateCreator?: string): string {
  return find(tag, privateCreator)?.vr ?? 'UN'
}

/** True for attributes that are "US or SS": Pixel Representation (0028,0103) of the data set decides. PS3.5 A.1. */
export function isUsOrSs(tag: number, privateCreator?: string): boolean {
  return find(tag, privateCreator)?.choice === 'US or SS'
}

/**
 * The VR of a tag in an implicit VR data set whose Pixel Representation is known.
 *
 * @param pixelRepresentation (0028,0103): 0 unsigned, 1 signed, undefined when the data set has none
 */
export function vrWithPixelRepresentation(
  tag: number,
  pixelRepresentation: number | undefined,
  privateCreator?: string,
): string {
  const entry = find(tag, privateCreator)
  if (entry === undefined) return 'UN'
  return entry.choice === 'US or SS' && pixelRepresentation === 1 ? 'SS' : entry.vr
}

/** True for a private creator whose elements the dictionary knows, blanks around it ignored. */
export function isKnownPrivateCreator(creator: string): boolean {
  return loadPrivate().has(creator.trim())
}

/** `GGGGEEEE`, eight uppercase hexadecimal digits. */
export function tagText(tag: number): string {
  return (tag >>> 0).toString(16).toUpperCase().padStart(8, '0')
}
