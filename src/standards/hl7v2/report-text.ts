import type { Delimiters } from './delimiters.ts'
import { unescapeText } from './escapes.ts'
import type { Segment } from './message.ts'

/** Value types of OBX-2 that are lines of a text. */
const TEXT_TYPES: ReadonlySet<string> = new Set(['TX', 'FT', 'ST', 'CF'])
const CODED_TYPES: ReadonlySet<string> = new Set(['CE', 'CWE', 'CNE', 'IS', 'ID'])

/** What stands in one part of a report: its title, and OBX with the NTE behind them. */
export interface ReportPart {
  readonly title: string
  readonly segments: readonly Segment[]
}

/**
 * Structured results as a text that a person reads: text lines joined under the name of their observation, other values
 * one per line with unit, reference range and flag, notes behind what they are about. HL7 v2.8 section 7.4.2.
 *
 * @param parts OBX and NTE in their order
 * @returns UTF-8 text; empty when nothing was said
 */
export function reportText(parts: readonly ReportPart[], delimiters: Delimiters): string {
  const blocks: string[] = []
  for (const { title, segments } of parts) {
    const lines: string[] = []
    let heading = ''
    for (const segment of segments) {
      if (segment.name === 'NTE') {
        const note = clean(segment.whole(3))
        if (note !== '') lines.push(...note.split('\n').map((line) => `  ${line}`))
        continue
      }
      const name = nameOf(segment)
      if (!TEXT_TYPES.has(segment.text(2).toUpperCase())) {
        const line = measured(segment, name)
        if (line !== null) lines.push(line)
        heading = ''
        continue
      }
      const text = textOf(segment, delimiters)
      if (text !== '' && name !== '' && name !== heading && name !== title) {
        if (lines.length > 0) lines.push('')
        lines.push(name)
        heading = name
      }
      lines.push(text)
    }
    const said = lines
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim()
    if (said !== '') blocks.push(title === '' ? said : `${title}\n\n${said}`)
  }
  return blocks.length === 0 ? '' : `${blocks.join('\n\n\n')}\n`
}

function nameOf(obx: Segment): string {
  return clean(obx.text(3, 2) || obx.text(3, 5) || obx.text(3, 1))
}

/** Repetitions are lines; what looks like structure within text is text. */
function textOf(obx: Segment, delimiters: Delimiters): string {
  const { repetition } = delimiters
  const raw = obx.raw(5)
  const lines = raw === '""' ? [] : repetition === null ? [raw] : raw.split(repetition)
  return clean(lines.map((line) => unescapeText(line, delimiters)).join('\n'))
}

function measured(obx: Segment, name: string): string | null {
  const type = obx.text(2).toUpperCase()
  const values = obx.repetitions(5).map((one) => {
    if (CODED_TYPES.has(type)) return one.text(2) || one.text(9) || one.text(1)
    if (type === 'SN') return [1, 2, 3, 4].map((n) => one.text(n)).join('')
    return [1, 2, 3, 4, 5]
      .map((n) => one.text(n))
      .filter((part) => part !== '')
      .join(' ')
  })
  const value = clean(values.filter((one) => one !== '').join(', '))
  if (value === '') return null
  const range = obx.text(7)
  const flags = obx
    .repetitions(8)
    .map((one) => one.text(1))
    .filter((flag) => flag !== '' && flag !== 'N')
  const parts = [
    ...[value, obx.text(6, 1) === '' ? '' : obx.text(6, 1)],
    range === '' ? '' : `(${range})`,
    flags.length === 0 ? '' : `[${flags.join(', ')}]`,
  ]
  const said = clean(parts.filter((part) => part !== '').join(' '))
  return name === '' ? said : `${name}: ${said}`
}

/** Control characters have no place in a text but line ends and tabs. */
function clean(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]/gu, ' ')
    .replace(/[ \t]+$/gm, '')
}
