import { readXml } from '../xml/reader.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { TextCollector } from './text-collector.ts'

/** Longer runs without a blank are encoded bytes, not words. */
const WORD_MAX = 200

/**
 * All character data of an XML document, an element a line. Attributes are left out, but for `value` of FHIR and HL7 v3
 * they hold codes rather than words.
 *
 * @throws DocumentError as readXml
 */
export function xmlText(bytes: Uint8Array, limits: TextLimits): PlainText {
  const collector = new TextCollector(limits.characters)
  let language: string | null = null
  let title = ''
  let depthNow = 0
  let inTitle = false
  readXml(bytes, {
    open({ name, attributes }, depth) {
      depthNow = depth
      language ??= attributes.get('{http://www.w3.org/XML/1998/namespace}lang') ?? null
      inTitle = name.toLowerCase() === 'title' && title === ''
      collector.paragraph()
      return undefined
    },
    text(text) {
      if (depthNow > 0 && !isEncoded(text)) collector.words(text)
      if (inTitle && title.length < 1000) title += text.slice(0, 1000)
    },
    close() {
      inTitle = false
      collector.paragraph()
      return undefined
    },
  })
  return collector.finish({ language, title })
}

/** Base64 bodies and the like. */
function isEncoded(text: string): boolean {
  const trimmed = text.trim()
  return (
    trimmed.length > WORD_MAX && /^[A-Za-z0-9+/=_-]{76,}/.test(trimmed) && !trimmed.slice(0, WORD_MAX).includes(' ')
  )
}
