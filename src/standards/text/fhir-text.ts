import { DocumentError } from '../document-error.ts'
import { isRecord, recordsOf, stringOf } from '../fhir/json-access.ts'
import { parseFhirJson } from '../fhir/json-read.ts'
import { readXml } from '../xml/reader.ts'
import { htmlSourceText } from './html.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { TextCollector } from './text-collector.ts'

const SECTION_DEPTH_MAX = 32

/**
 * What a person reads of a FHIR document: title, the narrative of the Composition, then titles and narratives of its
 * sections in their order; when there is none at all, the narratives of the other resources. FHIR R4 section 2.42.
 *
 * @throws DocumentError `malformed` for what is no document Bundle; as readXml
 */
export function fhirText(bytes: Uint8Array, limits: TextLimits): PlainText {
  const first = bytes.find((byte) => byte > 0x20 && byte !== 0xef && byte !== 0xbb && byte !== 0xbf)
  return first === 0x3c ? xmlNarratives(bytes, limits) : jsonNarratives(bytes, limits)
}

function jsonNarratives(bytes: Uint8Array, limits: TextLimits): PlainText {
  const bundle = parseFhirJson(bytes)
  const resources = recordsOf(bundle['entry']).map((entry) => entry['resource'])
  const composition = resources.find((one) => isRecord(one) && one['resourceType'] === 'Composition')
  if (!isRecord(composition)) throw new DocumentError('malformed', 'a document Bundle without a Composition')
  const collector = new TextCollector(limits.characters)
  collector.words(stringOf(composition['title']) ?? '')
  collector.paragraph()
  const before = collector.length
  narrative(composition['text'], collector, limits)
  sections(composition['section'], 1, collector, limits)
  if (collector.length === before) {
    for (const one of resources) if (isRecord(one)) narrative(one['text'], collector, limits)
  }
  return collector.finish({
    title: stringOf(composition['title']),
    language: stringOf(composition['language']) ?? stringOf(bundle['language']),
  })
}

function sections(value: unknown, depth: number, collector: TextCollector, limits: TextLimits): void {
  if (depth > SECTION_DEPTH_MAX) throw new DocumentError('limit', `sections nested deeper than ${SECTION_DEPTH_MAX}`)
  for (const section of recordsOf(value)) {
    if (collector.full) return
    collector.paragraph()
    collector.words(stringOf(section['title']) ?? '')
    collector.paragraph()
    narrative(section['text'], collector, limits)
    sections(section['section'], depth + 1, collector, limits)
  }
}

function narrative(value: unknown, collector: TextCollector, limits: TextLimits): void {
  const div = isRecord(value) ? stringOf(value['div']) : null
  if (div === null || collector.full) return
  collector.paragraph()
  collector.lines(htmlSourceText(div, limits).text)
  collector.paragraph()
}

/** Narratives stand in the XHTML namespace, in the order of the document; titles of sections are FHIR elements. */
function xmlNarratives(bytes: Uint8Array, limits: TextLimits): PlainText {
  const collector = new TextCollector(limits.characters)
  const path: string[] = []
  let title: string | null = null
  let language: string | null = null
  let div = 0
  readXml(bytes, {
    open({ name, namespace, attributes }, depth) {
      path.push(name)
      const parent = path[depth - 2]
      const value = attributes.get('value') ?? ''
      if (div === 0 && namespace === 'http://www.w3.org/1999/xhtml') div = depth
      if (div > 0) collector.paragraph()
      else if (name === 'title' && (parent === 'Composition' || parent === 'section')) {
        if (parent === 'Composition') title ??= value
        collector.paragraph()
        collector.words(value)
        collector.paragraph()
      } else if (name === 'language' && parent === 'Composition') language ??= value
      return undefined
    },
    text(text) {
      if (div > 0) collector.words(text)
    },
    close(_name, depth) {
      path.pop()
      if (div > 0) collector.paragraph()
      if (depth === div) div = 0
      return undefined
    },
  })
  return collector.finish({ title, language })
}
