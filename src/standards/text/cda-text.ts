import { readXml } from '../xml/reader.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { TextCollector } from './text-collector.ts'

/** Elements of the narrative that end a line. HL7 CDA R2 section 4.3.5. */
const blocks = new Set(['paragraph', 'list', 'item', 'table', 'tr', 'caption', 'br', 'text', 'title', 'section'])
/** Cells stand apart on one line. */
const cells = new Set(['td', 'th'])

/**
 * What a person reads of a CDA document: its title, then the titles and narratives of its sections in their order. Coded
 * entries repeat the narrative and are left out; so is a body that is not XML, unless it is plain text.
 *
 * @throws DocumentError as readXml
 */
export function cdaText(bytes: Uint8Array, limits: TextLimits): PlainText {
  const collector = new TextCollector(limits.characters)
  const path: string[] = []
  let title = ''
  let language: string | null = null
  let plainBody = false
  let hidden = 0
  let narrative = 0
  readXml(bytes, {
    open({ name, attributes }, depth) {
      path.push(name)
      if (depth === 2 && name === 'languageCode') language ??= attributes.get('code') ?? null
      if (hidden > 0 || collector.full) return undefined
      if (name === 'entry') hidden = depth
      const parent = path[depth - 2]
      if (name === 'text' && parent === 'nonXMLBody') {
        const type = attributes.get('mediaType') ?? 'text/plain'
        plainBody = type === 'text/plain' && (attributes.get('representation') ?? 'TXT') === 'TXT'
        if (plainBody && narrative === 0) narrative = depth
      } else if ((name === 'text' || name === 'title') && parent === 'section' && narrative === 0) {
        collector.paragraph()
        narrative = depth
      }
      if (narrative > 0 && blocks.has(name)) collector.paragraph()
      if (narrative > 0 && cells.has(name)) collector.words(' ')
      return undefined
    },
    text(text) {
      if (hidden > 0) return
      if (path.length === 2 && path[1] === 'title') title += text.length > 10_000 ? '' : text
      else if (narrative > 0) plainBody ? collector.lines(text) : collector.words(text)
    },
    close(name, depth) {
      path.pop()
      if (hidden > 0) {
        if (depth === hidden) hidden = 0
        return undefined
      }
      if (depth === 2 && name === 'title') {
        collector.words(title)
        collector.paragraph()
      }
      if (narrative > 0 && blocks.has(name)) collector.paragraph()
      if (narrative > 0 && cells.has(name)) collector.words(' ')
      if (depth === narrative) narrative = 0
      return undefined
    },
  })
  return collector.finish({ title, language })
}
