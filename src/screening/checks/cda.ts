import { memorySource } from '#standards/byte-source.ts'
import { findHidden, type Signature, signatureAt, withArticle } from '#standards/media/signatures.ts'
import { probeXml, type XmlProbe } from '#standards/media/xml-probe.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

const xmlSource = 'HL7 CDA R2; OWASP XXE; threat catalogue 3'

export const cdaRules: readonly Rule[] = [
  rule(
    'D6',
    xmlSource,
    'reject',
    ['reject', 'quarantine'],
    'XML with a document type or entity declaration, or in an encoding that hides one.',
    'No DTD, entity, inclusion or schema is ever processed or fetched.',
  ),
  rule(
    'D7',
    xmlSource,
    'keep',
    ['keep', 'quarantine', 'reject'],
    'CDA that names a stylesheet.',
    'It is never fetched: documents are shown with our own.',
  ),
  rule(
    'D8',
    xmlSource,
    'quarantine',
    ['quarantine', 'reject', 'keep'],
    'CDA with active references (javascript:, data:), or a base64 body whose type lies. Event attributes and remote images are told and shown inert.',
    'The widely used stylesheet had these holes in 2014 and 2020.',
  ),
]

/** Judges an XML document. @param base offset of its first byte in the source; @param tag its host element, or null */
export function checkCda(bytes: Uint8Array, base: number, tag: string | null): Draft[] {
  const drafts: Draft[] = []
  const add = (rule: string, severity: Draft['severity'], detail: string) => {
    drafts.push({ rule, severity, detail, offset: base, tag })
  }
  const probe = probeXml(bytes)
  if (probe.doctype) add('D6', 'reject', 'XML with a document type or entity declaration')
  else if (probe.refusedEncoding !== null)
    add('D6', 'reject', `XML in the encoding ${JSON.stringify(probe.refusedEncoding.slice(0, 40))}, which is not read`)
  else if (probe.error !== null) add('D3', 'quarantine', describe(bytes, probe))
  if (drafts.length > 0) return drafts
  if (probe.stylesheets > 0) add('D7', 'info', 'CDA that names a stylesheet, which is never fetched')
  if (probe.activeReferences.length > 0) add('D8', 'quarantine', `active reference: ${probe.activeReferences[0]}`)
  for (const body of probe.bodies) {
    const lie = lieOf(body.mediaType, body.base64)
    if (lie !== null) add('D8', 'quarantine', `a body that says ${body.mediaType || 'no type'} and is ${lie}`)
  }
  if (probe.eventAttributes.length > 0)
    add('D8', 'warning', `event attributes, shown inert: ${probe.eventAttributes[0]}`)
  if (probe.remoteReferences.length > 0)
    add('D8', 'warning', `remote references, never fetched: ${probe.remoteReferences[0]}`)
  return drafts
}

function describe(bytes: Uint8Array, probe: XmlProbe): string {
  const mark = signatureAt(bytes)
  if (mark !== null) return `the bytes are ${withArticle(mark.name)}, not XML`
  return `XML that is not well-formed: ${probe.error ?? 'no reason given'}`
}

const marks: readonly { readonly type: string; readonly is: (signature: Signature | null) => boolean }[] = [
  { type: 'application/pdf', is: (found) => found?.family === 'pdf' },
  { type: 'image/png', is: (found) => found?.name === 'PNG image' },
  { type: 'image/jpeg', is: (found) => found?.name === 'JPEG image' },
  { type: 'image/gif', is: (found) => found?.name === 'GIF image' },
  { type: 'image/tiff', is: (found) => found?.family === 'tiff' },
]

/** What a base64 body really is, when that is not what it says; null when nothing contradicts. */
function lieOf(mediaType: string, base64: string): string | null {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.byteLength === 0) return null
  const found = signatureAt(bytes)
  const expected = marks.find(({ type }) => mediaType.split(';')[0]?.trim() === type)
  if (expected !== undefined)
    return expected.is(found) ? null : found === null ? 'something else' : withArticle(found.name)
  const hidden = findHidden(memorySource(bytes), 0, bytes.byteLength)
  if (hidden === null || hidden.family === 'compressed') return null
  // Office documents are ZIP archives and say so.
  if (hidden.family === 'archive' && /officedocument|opendocument|zip|msword|vnd\.ms-/.test(mediaType)) return null
  return withArticle(hidden.name)
}
