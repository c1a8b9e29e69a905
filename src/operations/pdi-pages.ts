/** What a disc says of itself to people: README.TXT, INDEX.HTM and a page per study. services.md D.6, IHE RAD TF-3 4.47. */
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/write.ts'
import type { MediaInstance } from './media-record.ts'

export interface DiscFacts {
  /** Who made the disc: `site.name`. */
  readonly site: string
  readonly label: string
  readonly time: Date
}

/** General purpose profiles by what they allow beside uncompressed images. PS3.11 annexes D, H, and J. */
const PROFILES: readonly (readonly [suffixes: readonly string[], profile: string])[] = [
  [['50', '51', '70'], 'STD-GEN-DVD-JPEG'],
  [['90', '91'], 'STD-GEN-DVD-J2K'],
  [['100'], 'STD-GEN-DVD-MPEG2-MPML'],
  [['101'], 'STD-GEN-BD-MPEG2-MPHL'],
  [['102', '103'], 'STD-GEN-BD-MPEG4-HPLV41'],
]

/** The profile under which a compressed transfer syntax may stand on a disc; null when none of ours allows it. */
export function profileOf(transferSyntaxUID: string): string | null {
  const suffix = transferSyntaxUID.replace('1.2.840.10008.1.2.4.', '')
  return PROFILES.find(([suffixes]) => suffixes.includes(suffix))?.[1] ?? null
}

/** README.TXT: ASCII with line ends CR LF, without a word about patients. */
export function readmeText(facts: DiscFacts, files: readonly MediaInstance[]): string {
  const lines = [
    `Disc ${facts.label}, written ${facts.time.toISOString().slice(0, 10)} by ${ascii(facts.site)}`,
    `with ${IMPLEMENTATION_VERSION_NAME}.`,
    '',
    'This disc follows IHE Portable Data for Imaging (PDI).',
    '',
    'DICOMDIR      the directory of the DICOM files (application profile STD-GEN-CD)',
    `DICOM         ${files.length} DICOM file${files.length === 1 ? '' : 's'}`,
    'INDEX.HTM     a list of the studies for a web browser; its pages are in IHE_PDI',
    '',
    'There is no program on this disc and nothing starts by itself. A DICOM viewer opens',
    'DICOMDIR. The pages list the contents as text: no preview pictures were made, so the',
    'DICOM files are the only images here.',
  ]
  const compressed = Map.groupBy(
    files.map(({ stored }) => stored.transferSyntaxUID).filter((uid) => transferSyntax(uid)?.encapsulated !== false),
    (uid) => uid,
  )
  if (compressed.size > 0) {
    lines.push(
      '',
      'These files are compressed as they came. They are not part of the basic profile, which',
      'has uncompressed files only; a viewer must know the compression:',
      '',
    )
    for (const [uid, { length }] of compressed) {
      const profile = profileOf(uid)
      const allowed = profile === null ? 'no general purpose profile has it' : `profile ${profile}`
      lines.push(`  ${length} with ${transferSyntax(uid)?.name ?? uid} (${uid}), ${allowed}`)
    }
  }
  lines.push(
    '',
    'The files hold personal health data. Where identifiers or other attributes were',
    'corrected after the files were made, the files on this disc carry the corrected values',
    'and list the earlier ones in their Original Attributes Sequence.',
    '',
    'The content is for use by qualified persons. Please ask the place named above about it.',
  )
  return `${lines.join('\r\n')}\r\n`
}

export interface DiscPage {
  /** Path from the root of the disc. */
  readonly path: readonly string[]
  readonly text: string
}

/** INDEX.HTM and a page for each study in IHE_PDI: XHTML 1.0, no script, nothing from elsewhere. */
export function discPages(facts: DiscFacts, files: readonly MediaInstance[]): readonly DiscPage[] {
  const studies = [...Map.groupBy(files, ({ stored }) => stored.studyInstanceUID).values()]
  const rows: string[] = []
  const pages: DiscPage[] = []
  for (const [i, study] of studies.entries()) {
    const name = `ST${String(i + 1).padStart(6, '0')}.HTM`
    const of = first(study)
    const cells = [
      nameText(of('00100010')),
      of('00100020'),
      dateText(of('00080020')),
      modalities(study),
      of('00081030'),
    ]
    const link = `<a href="IHE_PDI/${name}">${escaped(cells[4] || 'study')}</a>`
    rows.push(row([...cells.slice(0, 4).map(escaped), link, String(study.length)]))
    pages.push({ path: ['IHE_PDI', name], text: studyPage(study) })
  }
  const body = [
    `<h1>Disc ${escaped(facts.label)}</h1>`,
    `<p>Written ${facts.time.toISOString().slice(0, 10)} by ${escaped(facts.site)}. <a href="README.TXT">README</a></p>`,
    table(['Patient', 'Patient ID', 'Date', 'Modality', 'Study', 'Files'], rows),
    '<p>The images are in the DICOM files; a DICOM viewer opens them through DICOMDIR. No previews were made.</p>',
  ]
  return [{ path: ['INDEX.HTM'], text: page(`Disc ${facts.label}`, body) }, ...pages]
}

function studyPage(study: readonly MediaInstance[]): string {
  const of = first(study)
  const title = of('00081030') || 'Study'
  const facts: [string, string][] = [
    ['Patient', nameText(of('00100010'))],
    ['Patient ID', of('00100020')],
    ['Birth date', dateText(of('00100030'))],
    ['Sex', of('00100040')],
    ['Study date', dateText(of('00080020'))],
    ['Accession number', of('00080050')],
  ]
  const rows = facts.filter(([, value]) => value !== '').map(([name, value]) => row([escaped(name), escaped(value)]))
  const series = [...Map.groupBy(study, ({ stored }) => stored.seriesInstanceUID).values()].map((files) => {
    const text = first(files)
    const head = [text('00080060'), text('00200011'), text('0008103E')].filter((part) => part !== '').join(', ')
    const links = files.map(({ fileId, text: value }) => {
      const shown = value('00420010') || value('00200013') || fileId.at(-1) || ''
      return `<a href="../${fileId.join('/')}">${escaped(shown)}</a>`
    })
    return `<h2>${escaped(head || 'Series')}</h2>\n<p>${links.join(' ')}</p>`
  })
  const body = [
    `<h1>${escaped(title)}</h1>`,
    table([], rows),
    ...series,
    '<p><a href="../INDEX.HTM">All studies</a></p>',
  ]
  return page(title, body)
}

function page(title: string, body: readonly string[]): string {
  const head = [
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">',
    '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">',
    '<head>',
    '<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />',
    `<title>${escaped(title)}</title>`,
    '</head>',
    '<body>',
  ]
  return `${[...head, ...body, '</body>', '</html>'].join('\n')}\n`
}

function table(heads: readonly string[], rows: readonly string[]): string {
  const head = heads.length === 0 ? [] : [`<tr>${heads.map((each) => `<th>${escaped(each)}</th>`).join('')}</tr>`]
  return ['<table>', ...head, ...(rows.length + head.length === 0 ? [row(['nothing'])] : rows), '</table>'].join('\n')
}

const row = (cells: readonly string[]): string => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`

function first(files: readonly MediaInstance[]): (tag: string) => string {
  return (tag) => files.map(({ text }) => text(tag)).find((value) => value !== '') ?? ''
}

function modalities(files: readonly MediaInstance[]): string {
  return [...new Set(files.map(({ text }) => text('00080060')))].filter((each) => each !== '').join(', ')
}

function nameText(name: string): string {
  const groups = name.split('=').map((group) => {
    const [family = '', given = '', middle = ''] = group.split('^')
    return [family, [given, middle].filter((part) => part !== '').join(' ')].filter((part) => part !== '').join(', ')
  })
  return groups.filter((group) => group !== '').join(' / ')
}

const dateText = (date: string): string => date.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3')

/** Text for XHTML; what XML 1.0 does not have at all is left out. */
function escaped(text: string): string {
  return [...text.toWellFormed()]
    .filter((character) => character >= ' ' || character === '\t')
    .join('')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
