import { lstatSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { type ImportLine, needsAttention } from '#arrival/import-line.ts'
import { noting, type ReconciledEvent, reconciled } from '#arrival/import-reconciliation.ts'
import { type ImportSummary, importPaths } from '#arrival/media-import.ts'
import type { Archive } from '../../app.ts'
import { documentImport } from '../../app-document-routes.ts'
import { hl7Limits } from '../../app-hl7.ts'
import { type ArchiveCommand, type Emit, type ExitStatus, type Flag, type Given, isSet, text } from '../command.ts'
import { fileCount, oneLine, sizeText } from '../terminal.ts'
import { intentionOf, reconciliationText } from './import-reconciliation.ts'

const FLAGS: { readonly [name: string]: Flag } = {
  originator: { type: 'string', value: 'NAME', about: 'who the medium is from; a registered name brings its policies' },
  medium: { type: 'string', value: 'LABEL', about: 'label written on the medium, kept with every object' },
  'bare-datasets': { type: 'boolean', about: 'accept data sets without preamble and File Meta' },
}

const MEANT: { readonly [name: string]: Flag } = {
  patient: { type: 'string', value: 'ID', about: 'whose the medium is; checked, and what contradicts it waits' },
  issuer: { type: 'string', value: 'I', about: 'issuer of that number' },
  accession: { type: 'string', value: 'A', about: 'accession number of the order it is imported for; checked too' },
}

export const importCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'import',
  summary: 'Take in files, folders, ZIP containers and DICOMDIR media',
  operands: 'PATH...',
  flags: { ...FLAGS, ...MEANT },
  operandCount: [1, 10_000],
  more: 'Run it again after an interruption: nothing is stored twice.',
  run: (archive, given, emit, signal) => walkPaths(archive, given, emit, signal, false),
}

export const screenCommand: ArchiveCommand = {
  runs: 'in-owner',
  keepsNothing: true,
  name: 'screen',
  summary: 'Judge files as import would, and store nothing',
  operands: 'PATH...',
  flags: FLAGS,
  operandCount: [1, 10_000],
  run: (archive, given, emit, signal) => walkPaths(archive, given, emit, signal, true),
}

async function walkPaths(
  archive: Archive,
  given: Given,
  emit: Emit,
  signal: AbortSignal,
  judgeOnly: boolean,
): Promise<ExitStatus> {
  const paths = given.positionals.map((path) => ({
    given: path,
    absolute: isAbsolute(path) ? path : resolve(given.workingDirectory, path),
  }))
  const missing = paths.filter(({ absolute }) => lstatSync(absolute, { throwIfNoEntry: false }) === undefined)
  for (const path of missing) await emit({ note: `${path.given}: there is no such file or folder` })
  const intention = intentionOf(given)
  if (intention !== null) await archive.imports.checkIntention(intention)
  const studies = new Set<string>()
  const events = importPaths(paths, {
    intake: noting(archive.intake, studies),
    door: 'media',
    originator: text(given, 'originator') ?? null,
    medium: text(given, 'medium') ?? null,
    user: null,
    peer: null,
    address: null,
    bareDataSets: isSet(given, 'bare-datasets'),
    judgeOnly,
    spool: { directory: archive.spoolDirectory, bytesMax: archive.config.limits.objectSize },
    containers: archive.config.limits,
    badZip: archive.settings.get('media.badZip'),
    messages: { desk: archive.messageDesk, limits: hl7Limits(archive.config) },
    documents: documentImport(archive),
    signal,
  })
  // What was mistyped could not run, whatever became of the others.
  const statusOf = (status: ExitStatus): ExitStatus => (missing.length > 0 ? 1 : status)
  if (judgeOnly) return statusOf(await tellImport(events, emit, signal, judgeOnly))
  const who = { by: 'local', address: null }
  const matching = { imports: archive.imports, studies, intention, who, signal }
  return statusOf(await tellImport(reconciled(events, matching), emit, signal, judgeOnly))
}

type Events = AsyncIterable<ReconciledEvent>

/** Prints what an import tells: every line as JSON; for a person those that need one, and the summary. */
export async function tellImport(
  events: Events,
  emit: Emit,
  signal: AbortSignal,
  judgeOnly: boolean,
): Promise<ExitStatus> {
  const startedMs = performance.now()
  const counts = { stored: 0, known: 0, held: 0, refused: 0, skipped: 0 }
  let done = 0
  let bytes = 0
  for await (const event of events) {
    if ('summary' in event) {
      await emit({ json: { summary: event.summary }, text: summaryText(event.summary, judgeOnly) })
      for (const study of event.summary.reconciliation ?? []) await emit({ text: reconciliationText(study) })
      if (signal.aborted) {
        await emit({ note: 'Interrupted. Run it again to take in the rest: nothing is stored twice.' })
        return 1
      }
      return needsAttention(event.summary) ? 2 : 0
    }
    const { line } = event
    done += 1
    bytes += event.bytes
    counts[countOf(line)] += 1
    const seconds = (performance.now() - startedMs) / 1000
    const shown = judgeOnly || line.verdict !== 'accept' ? { text: lineText(line) } : {}
    await emit({ json: line, ...shown, progress: { done, bytes, seconds, counts } })
  }
  return 1
}

function countOf(line: ImportLine): 'stored' | 'known' | 'held' | 'refused' | 'skipped' {
  if (line.verdict === 'skip') return 'skipped'
  if (line.duplicate && line.stored) return 'known'
  if (line.verdict === 'quarantine' && !line.stored) return 'held'
  return line.verdict === 'reject' ? 'refused' : 'stored'
}

/** Findings that stand below a line; more would hide the lines. */
const REMARKS_SHOWN = 5

function lineText(line: ImportLine): string {
  const rules = [...new Set(line.findings.map(({ rule }) => rule))].join(' ')
  const number = line.quarantineId === null ? '' : ` [${line.quarantineId}]`
  const told = `${line.verdict.padEnd(10)} ${line.path}  ${line.reason}${rules === '' ? '' : ` (${rules})`}${number}`
  const remarks = line.findings.filter(({ detail }) => !line.reason.includes(detail))
  const shown = remarks.slice(0, REMARKS_SHOWN).map(({ rule, detail }) => `${' '.repeat(11)}${rule}: ${detail}`)
  const more = remarks.length - shown.length
  if (more > 0) shown.push(`${' '.repeat(11)}and ${more} more: --json tells all`)
  return [told, ...shown].map(oneLine).join('\n')
}

function summaryText(summary: ImportSummary, judgeOnly: boolean): string {
  const parts = [`${fileCount(summary.files)}, ${sizeText(summary.bytes)} in ${summary.seconds} s`]
  if (!judgeOnly) parts.push(`${summary.stored} stored`)
  if (summary.duplicates > 0) parts.push(`${summary.duplicates} already there`)
  if (summary.sanitised > 0) parts.push(`${summary.sanitised} sanitised`)
  if (summary.quarantined > 0) parts.push(`${summary.quarantined} ${judgeOnly ? 'to hold' : 'held'}`)
  if (summary.rejected > 0) parts.push(`${summary.rejected} refused`)
  if (summary.skipped > 0) parts.push(`${summary.skipped} skipped`)
  if (summary.failed > 0) parts.push(`${summary.failed} failed`)
  const { missing = 0 } = summary
  if (missing > 0) parts.push(`${fileCount(missing)} listed by DICOMDIR and missing`)
  return parts.join(', ')
}
