import { SaxesParser } from 'saxes'
import { DicomError } from '#standards/dicom/errors.ts'
import { DEFAULT_LIMITS } from '#standards/dicom/limits.ts'

/** A data set of the DICOM JSON Model while it is put together; keys are tags. */
interface JsonSet {
  [tag: string]: JsonElement
}

interface JsonElement {
  vr: string
  Value?: unknown[]
  InlineBinary?: string
  BulkDataURI?: string
}

/** One element of the document on the way down. */
type Level =
  | { readonly is: 'dataSet'; readonly set: JsonSet; readonly privates: { tag: string; creator: string }[] }
  | { readonly is: 'attribute'; readonly element: JsonElement }
  | { readonly is: 'name'; readonly name: { [group: string]: string } }
  | { readonly is: 'group'; readonly parts: string[]; done(text: string): void }
  | { readonly is: 'text'; text: string; done(text: string): void }
  | { readonly is: 'leaf' }

const NAME_GROUPS = ['Alphabetic', 'Ideographic', 'Phonetic']
const NAME_PARTS = ['FamilyName', 'GivenName', 'MiddleName', 'NamePrefix', 'NameSuffix']
/** Values of one attribute that a `number` may claim: nothing is allocated by it. */
const NUMBER_MAX = 65_536

function wrong(detail: string): DicomError {
  return new DicomError('dicom.malformed', 'xml-model', detail, 0)
}

/**
 * Turns a Native DICOM Model document (PS3.19 section A.1) into DICOM JSON, which is read from there. A DOCTYPE is
 * refused wherever it stands: there are no entities to expand (threats.md D6, R13).
 * @throws DicomError for what is not such a document
 */
export function xmlToJson(bytes: Uint8Array): Uint8Array {
  const parser = new SaxesParser({ xmlns: false, fragment: false })
  const root: Level = { is: 'dataSet', set: {}, privates: [] }
  const levels: Level[] = []
  parser.on('doctype', () => {
    throw wrong('a document type declaration is refused')
  })
  parser.on('error', (error) => {
    throw wrong(`not well-formed XML: ${error.message.slice(0, 200)}`)
  })
  parser.on('opentag', ({ name, attributes }) => {
    const local = name.slice(name.indexOf(':') + 1)
    if (levels.length > 3 * DEFAULT_LIMITS.depth + 5) throw wrong('nested too deeply')
    levels.push(open(local, attributes as Record<string, string>, levels, root))
  })
  parser.on('text', (text) => {
    const level = levels.at(-1)
    if (level?.is === 'text') level.text += text
  })
  parser.on('closetag', () => {
    const level = levels.pop()
    if (level?.is === 'text') level.done(level.text)
    if (level?.is === 'group') level.done(level.parts.join('^').replace(/\^+$/, ''))
    if (level?.is === 'dataSet') placePrivates(level.set, level.privates)
  })
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw Object.assign(wrong('not UTF-8'), { cause })
  }
  parser.write(text).close()
  return Buffer.from(JSON.stringify(root.set))
}

function open(name: string, attributes: Record<string, string>, levels: readonly Level[], root: Level): Level {
  const parent = levels.at(-1)
  if (parent === undefined) {
    if (name !== 'NativeDicomModel') throw wrong('the document is not a NativeDicomModel')
    return root
  }
  if (parent.is === 'dataSet' && name === 'DicomAttribute') return attribute(attributes, parent)
  if (parent.is === 'attribute') return content(name, attributes, parent.element)
  if (parent.is === 'name') {
    if (!NAME_GROUPS.includes(name)) throw wrong(`a person name has no ${name.slice(0, 40)}`)
    return {
      is: 'group',
      parts: ['', '', '', '', ''],
      done: (text) => {
        parent.name[name] = text
      },
    }
  }
  if (parent.is === 'group') {
    const index = NAME_PARTS.indexOf(name)
    if (index < 0) throw wrong(`a person name has no ${name.slice(0, 40)}`)
    return {
      is: 'text',
      text: '',
      done: (text) => {
        parent.parts[index] = text
      },
    }
  }
  throw wrong(`${name.slice(0, 40)} does not belong there`)
}

function attribute(attributes: Record<string, string>, parent: Level & { is: 'dataSet' }): Level {
  const tag = attributes['tag']?.toUpperCase() ?? ''
  const vr = attributes['vr'] ?? ''
  if (!/^[0-9A-F]{8}$/.test(tag) || !/^[A-Z]{2}$/.test(vr)) throw wrong('a DicomAttribute without tag and vr')
  const element: JsonElement = { vr }
  const creator = attributes['privateCreator']
  if (creator === undefined) {
    if (Object.hasOwn(parent.set, tag)) throw wrong(`${tag} stands twice`)
    parent.set[tag] = element
  } else {
    // Under a name no tag has, until the block of its creator is known.
    parent.privates.push({ tag, creator })
    parent.set[`private ${parent.privates.length}`] = element
  }
  return { is: 'attribute', element }
}

function content(name: string, attributes: Record<string, string>, element: JsonElement): Level {
  const put = (value: unknown) => {
    const number = Number(attributes['number'] ?? (element.Value?.length ?? 0) + 1)
    if (!Number.isInteger(number) || number < 1 || number > NUMBER_MAX) throw wrong('a value without a number')
    element.Value ??= []
    while (element.Value.length < number - 1) element.Value.push(null)
    element.Value[number - 1] = value
  }
  switch (name) {
    case 'Value':
      return { is: 'text', text: '', done: put }
    case 'InlineBinary':
      return {
        is: 'text',
        text: '',
        done: (text) => {
          element.InlineBinary = text.replace(/\s+/g, '')
        },
      }
    case 'BulkData': {
      element.BulkDataURI = attributes['uri'] ?? attributes['uuid'] ?? ''
      return { is: 'leaf' }
    }
    case 'Item': {
      const set: JsonSet = {}
      put(set)
      return { is: 'dataSet', set, privates: [] }
    }
    case 'PersonName': {
      const name: { [group: string]: string } = {}
      put(name)
      return { is: 'name', name }
    }
    default:
      throw wrong(`an attribute has no ${name.slice(0, 40)}`)
  }
}

/** Gives private attributes the block of their creator, and creators that are not there a free one. PS3.5 section 7.8.1. */
function placePrivates(set: JsonSet, privates: readonly { tag: string; creator: string }[]): void {
  privates.forEach(({ tag, creator }, i) => {
    const key = `private ${i + 1}`
    const element = set[key] as JsonElement
    delete set[key]
    const group = tag.slice(0, 4)
    const block = blockOf(set, group, creator)
    const full = `${group}${block}${tag.slice(6)}`
    if (Object.hasOwn(set, full)) throw wrong(`${full} stands twice`)
    set[full] = element
  })
}

function blockOf(set: JsonSet, group: string, creator: string): string {
  for (let number = 0x10; number <= 0xff; number++) {
    const block = number.toString(16).toUpperCase()
    const found = set[`${group}00${block}`]
    if (found === undefined) set[`${group}00${block}`] = { vr: 'LO', Value: [creator] }
    if (found === undefined || found.Value?.[0] === creator) return block
  }
  throw wrong(`group ${group} has no free private block`)
}
