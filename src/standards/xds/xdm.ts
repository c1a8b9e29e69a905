import { submitObjectsRequest, xmlText } from './ebrim-write.ts'
import type { XdsDocumentEntry, XdsMetadata } from './types.ts'

/** Who made a package, for the people who open it. ITI TF-2 section 3.32.4.1.2. */
export interface XdmMaker {
  readonly institution: string
  /** Where to ask; free text. */
  readonly contact: string
  readonly software: string
  readonly language: string
}

/** A file of the package, in the order in which it is to be written. */
export type XdmEntry =
  | { readonly name: string; readonly content: Uint8Array }
  /** The bytes of this document, as they were received. */
  | { readonly name: string; readonly document: XdsDocumentEntry }

const FOLDER_NAME = 'IHE_XDM/SUBSET01'

/** Folder of the n-th submission set of a package, from 1: eight characters. */
export function subsetFolder(number: number): string {
  return `IHE_XDM/${number < 100 ? `SUBSET${String(number).padStart(2, '0')}` : `S${String(number).padStart(7, '0')}`}`
}

/** 8.3 names count from 1 with seven digits. */
const DOCUMENTS_MAX = 9_999_999

const extensions: ReadonlyMap<string, string> = new Map([
  ['application/pdf', 'PDF'],
  ['text/xml', 'XML'],
  ['application/fhir+xml', 'XML'],
  ['application/fhir+json', 'JSN'],
  ['image/jpeg', 'JPG'],
  ['image/png', 'PNG'],
  ['image/gif', 'GIF'],
  ['image/tiff', 'TIF'],
  ['image/heic', 'HEI'],
  ['image/heif', 'HEI'],
  ['image/avif', 'AVI'],
  ['video/mp4', 'MP4'],
  ['video/quicktime', 'MOV'],
  ['video/mpeg', 'MPG'],
  ['video/mp2t', 'TS'],
  ['text/plain', 'TXT'],
  ['application/rtf', 'RTF'],
  ['text/html', 'HTM'],
  ['model/stl', 'STL'],
  ['model/obj', 'OBJ'],
  ['model/mtl', 'MTL'],
  ['application/dicom', 'DCM'],
])

/**
 * The files of an XDM package: index and note for people, metadata for machines, then the documents under names of eight
 * and three letters. ITI TF-2 section 3.32.4.1.2 and appendix V of ITI TF-1 (media layout).
 *
 * @throws RangeError for more documents than names
 */
export function* xdmPackage(metadata: XdsMetadata, maker: XdmMaker): Generator<XdmEntry> {
  if (metadata.documents.length > DOCUMENTS_MAX) throw new RangeError(`more than ${DOCUMENTS_MAX} documents`)
  const documents = metadata.documents.map((document, index) => ({
    ...document,
    URI: fileName(document.mimeType, index + 1),
  }))
  const rows = documents.map((document) => ({ document, href: `${FOLDER_NAME}/${document.URI}` }))
  yield { name: 'INDEX.HTM', content: Buffer.from(indexPage(rows.map(documentRow), maker)) }
  yield { name: 'README.TXT', content: Buffer.from(readme(documents.length, maker)) }
  yield { name: `${FOLDER_NAME}/METADATA.XML`, content: metadataFile({ ...metadata, documents }) }
  for (const document of documents) yield { name: `${FOLDER_NAME}/${document.URI}`, document }
}

/** METADATA.XML of one submission set. */
export function metadataFile(metadata: XdsMetadata): Uint8Array {
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${submitObjectsRequest(metadata)}`)
}

/** Name of the n-th document of a submission set, from 1. */
export function fileName(mimeType: string, number: number): string {
  return `D${String(number).padStart(7, '0')}.${extensions.get(mimeType) ?? 'BIN'}`
}

/** A line of the index for people: text and a file beside it. */
export interface IndexRow {
  readonly href: string
  readonly title: string
  readonly type: string
  /** As it is to be shown. */
  readonly created: string
}

export function documentRow({
  document,
  href,
}: {
  readonly document: XdsDocumentEntry
  readonly href: string
}): IndexRow {
  return {
    href,
    title: document.title ?? document.uniqueId,
    type: document.typeCode?.display || document.classCode?.display || document.mimeType,
    created: document.creationTime ?? '',
  }
}

/** No script, no style, no reference but to the files beside it. */
export function indexPage(rows: readonly IndexRow[], maker: XdmMaker): string {
  const lines = rows.map(({ href, title, type, created }) => {
    const cells = [type, created].map((cell) => `<td>${xmlText(cell)}</td>`).join('')
    return `<tr><td><a href="${xmlText(href)}">${xmlText(title)}</a></td>${cells}</tr>`
  })
  return `<!DOCTYPE html>
<html lang="${xmlText(maker.language)}">
<head><meta charset="utf-8"><title>${xmlText(maker.institution)}</title></head>
<body>
<h1>${xmlText(maker.institution)}</h1>
<p>${xmlText(maker.contact)}</p>
<table>
<tr><th>Document</th><th>Type</th><th>Created (UTC)</th></tr>
${lines.join('\n')}
</table>
<p><a href="README.TXT">README.TXT</a></p>
</body>
</html>
`
}

export function readme(count: number, { institution, contact, software }: XdmMaker): string {
  const line = (text: string) => text.replace(/[\r\n]+/g, ' ')
  return [
    `Documents exported by ${line(institution)}`,
    line(contact),
    '',
    `This medium or package holds ${count} document${count === 1 ? '' : 's'} with ${count === 1 ? 'its' : 'their'} metadata in the layout of`,
    'IHE Cross-enterprise Document Media Interchange (XDM).',
    'INDEX.HTM     list of the documents, for a browser',
    'IHE_XDM       the documents, and METADATA.XML for systems that import them',
    '',
    `Written by ${line(software)}`,
    '',
  ].join('\r\n')
}

/** Where the metadata of a package is: one METADATA.XML for each folder directly in IHE_XDM. */
export function metadataNames(names: readonly string[]): readonly string[] {
  return names.filter((name) => /^(.*\/)?IHE_XDM\/[^/]+\/METADATA\.XML$/i.test(name) && !name.startsWith('__MACOSX/'))
}

/**
 * The name, within its package, of the file that a document entry points to.
 *
 * @param metadataName of the METADATA.XML that holds the entry
 * @param names of all files of the package
 * @returns null when the URI leads out of its folder, names no file, or is absolute: nothing is ever fetched
 */
export function documentName(metadataName: string, uri: string, names: readonly string[]): string | null {
  const folder = metadataName.slice(0, metadataName.lastIndexOf('/') + 1)
  let path: string
  try {
    path = decodeURIComponent(uri)
  } catch (thrown) {
    if (!(thrown instanceof URIError)) throw thrown
    path = uri
  }
  const steps = path.split('/')
  if (/[\\\0:]/.test(path) || path.startsWith('/') || steps.some((step) => step === '..' || step === '')) return null
  const wanted = folder + steps.filter((step) => step !== '.').join('/')
  // Media of ISO 9660 know no small letters.
  return (
    names.find((name) => name === wanted) ?? names.find((name) => name.toLowerCase() === wanted.toLowerCase()) ?? null
  )
}
