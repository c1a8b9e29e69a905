import { tagText } from './errors.ts'

/** One element of our own DICOM JSON: its text as it stands, or the items of a sequence that was looked into. */
export type JsonNode =
  | {
      readonly raw: Buffer
      /** It stands at another path than it was written for, so a BulkDataURI in it must be written anew. */
      readonly moved?: true
    }
  | { readonly items: JsonTree[] }

/** A data set of DICOM JSON by tag. */
export type JsonTree = Map<number, JsonNode>

const SQ_OPEN = '{"vr":"SQ"'
const BULK = '"BulkDataURI":"'
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const COMMA = 0x2c

/** Cuts an object that json.ts wrote into its elements, without parsing their values. */
export function readJsonTree(json: Uint8Array): JsonTree {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength)
  const { tree, end } = dataSetAt(bytes, 0)
  if (end !== bytes.length) throw new RangeError(`${bytes.length - end} bytes behind the data set`)
  return tree
}

/** The items of a sequence; undefined for any other element. A sequence that was text is replaced by its items. */
export function itemsOf(tree: JsonTree, tag: number): JsonTree[] | undefined {
  const node = tree.get(tag)
  if (node === undefined) return undefined
  if ('items' in node) return node.items
  const items = parseItems(node)
  if (items !== undefined) tree.set(tag, { items })
  return items
}

/** A copy that may stand at another path. */
export function copyNode(node: JsonNode): JsonNode {
  if ('items' in node) return { items: node.items.map(copyTree) }
  if (!node.raw.includes(BULK)) return node
  const items = parseItems(node)
  return items === undefined ? { raw: node.raw, moved: true } : { items: items.map(copyTree) }
}

function copyTree(tree: JsonTree): JsonTree {
  return new Map([...tree].map(([tag, node]) => [tag, copyNode(node)]))
}

/** True for a sequence in which an element of this tag may stand: cheap, never wrong when false. */
export function mayHold(node: JsonNode, tag: number): boolean {
  return 'items' in node || (isSequence(node.raw) && node.raw.includes(`"${tagText(tag)}":`))
}

/** Two letters. */
export function vrOfNode(node: JsonNode): string {
  return 'items' in node ? 'SQ' : node.raw.toString('latin1', 7, 9)
}

export function isBulk(node: JsonNode): boolean {
  return 'raw' in node && !isSequence(node.raw) && node.raw.subarray(10, 10 + BULK.length + 1).includes(BULK)
}

/** Writes a data set as json.ts does: keys ascend, no blanks. */
export function writeJsonTree(tree: JsonTree, bulkDataUri: (path: string) => string): Buffer {
  const out: (string | Buffer)[] = []
  writeTree(out, tree, '', bulkDataUri)
  return Buffer.concat(out.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part)))
}

function writeTree(out: (string | Buffer)[], tree: JsonTree, prefix: string, uri: (path: string) => string): void {
  out.push('{')
  let first = true
  for (const tag of [...tree.keys()].sort((a, b) => a - b)) {
    const name = tagText(tag)
    out.push(`${first ? '' : ','}"${name}":`)
    first = false
    const node = tree.get(tag)!
    if ('raw' in node) {
      if (node.moved === true) {
        out.push(`{"vr":"${vrOfNode(node)}","BulkDataURI":${JSON.stringify(uri(prefix + name))}}`)
      } else out.push(node.raw)
      continue
    }
    out.push(node.items.length === 0 ? SQ_OPEN : `${SQ_OPEN},"Value":[`)
    node.items.forEach((item, index) => {
      if (index > 0) out.push(',')
      writeTree(out, item, `${prefix}${name}/${index}/`, uri)
    })
    out.push(node.items.length === 0 ? '}' : ']}')
  }
  out.push('}')
}

function isSequence(raw: Buffer): boolean {
  return raw.length > 8 && raw[7] === 0x53 && raw[8] === 0x51
}

function parseItems({ raw }: { readonly raw: Buffer }): JsonTree[] | undefined {
  if (!isSequence(raw)) return undefined
  const items: JsonTree[] = []
  let at = raw.indexOf('[')
  if (at < 0) return items
  while (raw[at] !== CLOSE_LIST) {
    const { tree, end } = dataSetAt(raw, at + 1)
    items.push(tree)
    at = end
  }
  return items
}

/** The data set whose brace stands at `at`; `end` is behind its closing one. */
function dataSetAt(bytes: Buffer, at: number): { tree: JsonTree; end: number } {
  const tree: JsonTree = new Map()
  let i = at + 1
  while (bytes[i] !== CLOSE) {
    if (bytes[i] === COMMA) i++
    const tag = Number.parseInt(bytes.toString('latin1', i + 1, i + 9), 16)
    const start = i + 11 // `"GGGGEEEE":`
    const end = objectEnd(bytes, start)
    tree.set(tag, { raw: bytes.subarray(start, end) })
    i = end
  }
  return { tree, end: i + 1 }
}

/** Behind the object that begins at `at`. */
function objectEnd(bytes: Buffer, at: number): number {
  let depth = 0
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === QUOTE) i = stringEnd(bytes, i)
    else if (byte === OPEN || byte === OPEN_LIST) depth++
    else if ((byte === CLOSE || byte === CLOSE_LIST) && --depth === 0) return i + 1
  }
  throw new RangeError('metadata that end inside an element')
}

/** At the closing quote of the string that begins at `at`. */
function stringEnd(bytes: Buffer, at: number): number {
  let end = at
  for (;;) {
    end = bytes.indexOf(QUOTE, end + 1)
    if (end < 0) throw new RangeError('metadata that end inside a text')
    let escapes = 0
    while (bytes[end - 1 - escapes] === BACKSLASH) escapes++
    if (escapes % 2 === 0) return end
  }
}
