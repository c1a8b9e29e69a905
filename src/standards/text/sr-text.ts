import type { ByteSource } from '../byte-source.ts'
import { readDataSet, string, text } from '../dicom/data-set.ts'
import { DicomError } from '../dicom/errors.ts'
import { DEFAULT_LIMITS } from '../dicom/limits.ts'
import { openPart10 } from '../dicom/open.ts'
import { type ContentItem, contentTree } from '../dicom/sop-classes/content.ts'
import { DocumentError } from '../document-error.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { TextCollector } from './text-collector.ts'

const CONTENT_SEQUENCE_END = 0x0040a731
const LANGUAGE_OF_CONTENT = '121049'

/**
 * The content tree of a structured report as lines `concept: value`, in its order. Unique identifiers are left out.
 *
 * @param source a Part 10 file
 * @throws DocumentError `malformed` when it is no DICOM file that can be read
 */
export function structuredReportText(source: ByteSource, limits: TextLimits): PlainText {
  try {
    const part10 = openPart10(source)
    const dataSet = readDataSet(part10.dataSet, part10.encoding, 0, part10.dataSet.size, DEFAULT_LIMITS, {
      keepBefore: CONTENT_SEQUENCE_END,
    })
    const tree = contentTree(dataSet)
    const collector = new TextCollector(limits.characters)
    const title = tree.concept?.meaning ?? text(dataSet, 0x0008103e) ?? null
    if (tree.concept !== undefined) collector.words(tree.concept.meaning)
    collector.paragraph()
    let language: string | null = null
    for (const item of tree.children) language ??= languageIn(item)
    for (const item of tree.children) write(item, collector)
    return collector.finish({ title, language: language ?? string(dataSet, 0x00080006) })
  } catch (thrown) {
    if (thrown instanceof DicomError) throw new DocumentError('malformed', 'no structured report', { cause: thrown })
    throw thrown
  }
}

function languageIn(item: ContentItem): string | null {
  return item.concept?.value === LANGUAGE_OF_CONTENT ? (item.code?.value ?? null) : null
}

/** As deep as the tree was read: 64. */
function write(item: ContentItem, collector: TextCollector): void {
  if (collector.full || item.type === 'UIDREF') return
  const value = valueText(item)
  const concept = item.concept?.meaning ?? ''
  if (concept !== '' || value !== '') {
    collector.paragraph()
    collector.words(concept)
    if (value !== '') {
      collector.words(concept === '' ? '' : ': ')
      if (item.type === 'TEXT') collector.lines(value)
      else collector.words(value)
    }
  }
  for (const child of item.children) write(child, collector)
}

function valueText(item: ContentItem): string {
  if (item.type === 'NUM') {
    const unit = item.unit?.meaning === 'no units' ? '' : (item.unit?.value ?? '')
    return item.number === undefined ? '' : `${item.number} ${unit === '1' ? '' : unit}`.trim()
  }
  if (item.type === 'CODE') return item.code?.meaning ?? ''
  if (item.type === 'PNAME') return (item.text ?? '').replaceAll('^', ' ').replaceAll('=', ' ')
  return item.text ?? ''
}
