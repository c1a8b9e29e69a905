import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ArchiveError } from '#errors.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { ExportItem, ExportSummary } from '#operations/export.ts'
import { type DocumentExportItem, documentFolder, documentPackage } from '#operations/export-documents.ts'
import type { Archive } from '../../app.ts'
import { documentLeaving } from '../../app-document-export.ts'
import {
  type ArchiveCommand,
  type Emit,
  type ExitStatus,
  type Given,
  isSet,
  needed,
  text,
  UsageError,
} from '../command.ts'
import { fileCount, sizeText } from '../terminal.ts'
import { type Selection, selectionOf } from './export-selection.ts'

export const exportCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'export',
  summary: 'Write plain Part 10 files and documents with their metadata, for another system or for a disc',
  operands: '',
  flags: {
    out: { type: 'string', value: 'DIR', about: 'an empty or absent folder; with --zip the name of the file' },
    study: { type: 'string', value: 'UID', multiple: true, about: 'only these studies; else everything' },
    documents: { type: 'boolean', about: 'documents only, also those inside DICOM objects' },
    patient: { type: 'string', value: 'ID', about: 'only what is of this patient' },
    issuer: { type: 'string', value: 'I', about: 'who gave that number' },
    media: { type: 'boolean', about: 'a disc by IHE PDI: DICOMDIR, README.TXT, INDEX.HTM, names of eight characters' },
    zip: { type: 'boolean', about: 'one ZIP file' },
    iso: { type: 'boolean', about: 'a disc image, ISO 9660 level 1; the same content as --media' },
    label: {
      type: 'string',
      value: 'LABEL',
      about: 'of the disc: at most 16 of A-Z, 0-9, _; else DIPTYCH_ and the date',
    },
  },
  operandCount: [0, 0],
  more: `Everything leaves with its current values. Digests are compared while reading.
Plain files keep the preamble of a TIFF that passed; on a disc every preamble is zero, and what is not compressed is
explicit VR little endian. Compressed images go as they are; README.TXT names the profile that allows them.
Documents leave as an IHE XDM package: INDEX.HTM, README.TXT, IHE_XDM with a METADATA.XML for each patient. With --study
and on a disc there are images only.`,
  async run(archive, given, emit, signal) {
    if (isSet(given, 'zip') && isSet(given, 'iso')) throw new UsageError('--zip or --iso, not both')
    const selection = await selectionOf(archive, given)
    if (isSet(given, 'iso') || isSet(given, 'media')) {
      if (isSet(given, 'documents'))
        throw new UsageError('a disc holds images; --documents goes with a folder or --zip')
      return toDisc(archive, given, selection, emit, signal)
    }
    if (text(given, 'label') !== undefined) throw new UsageError('--label is for --media and --iso')
    const to = isSet(given, 'zip') ? toZip : toFolder
    return to(archive, given, selection, emit, signal)
  },
}

async function toDisc(
  archive: Archive,
  given: Given,
  { images }: Selection,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const out = resolve(given.workingDirectory, needed(given, 'out'))
  const tally = new Tally(emit)
  const label = text(given, 'label')
  const form = isSet(given, 'iso') ? 'iso' : isSet(given, 'zip') ? 'zip' : 'folder'
  const site = archive.settings.get('site.name')
  const options = { ...images, form, site, ...(label === undefined ? {} : { label }) } as const
  return tally.end(await archive.maintenance.exportMedia(out, options, { onItem: tally.item, signal }))
}

async function toFolder(
  archive: Archive,
  given: Given,
  { images, documents }: Selection,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const out = resolve(given.workingDirectory, needed(given, 'out'))
  const tally = new Tally(emit)
  const summary = await archive.maintenance.exportFolder(out, images, { onItem: tally.item, signal })
  if (documents === null) return tally.end(summary)
  const leaving = { ...documentLeaving(archive, EVERYTHING, signal), onItem: tally.document }
  return tally.end(summary, await documentFolder(documents, leaving, out))
}

async function toZip(
  archive: Archive,
  given: Given,
  { images, documents }: Selection,
  emit: Emit,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const out = resolve(given.workingDirectory, needed(given, 'out'))
  const tally = new Tally(emit)
  const leaving = { ...documentLeaving(archive, EVERYTHING, signal), onItem: tally.document }
  const papers = documents === null ? null : documentPackage(documents, leaving)
  const tools = { onItem: tally.item, signal }
  const { stream, finished } = archive.maintenance.exportZip(images, tools, papers?.entries ?? null)
  try {
    await pipeline(Readable.from(stream), createWriteStream(out, { flags: 'wx', flush: true }), { signal })
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (!exists) await rm(out, { force: true }) // half a ZIP is none
    if (exists) throw new ArchiveError('request.conflict', `${out} exists`)
    throw error
  }
  return tally.end(finished(), papers?.summary())
}

/** Tells each file as it is written. */
class Tally {
  readonly #emit: Emit
  readonly #startedMs = performance.now()
  #told: Promise<void> = Promise.resolve()
  #done = 0
  #bytes = 0

  constructor(emit: Emit) {
    this.#emit = emit
  }

  readonly document = ({ path, id, bytes, failure }: DocumentExportItem): void =>
    this.item({ path, sopInstanceUid: null, id, bytes, failure })

  readonly item = (item: ExportItem & { readonly id?: string }): void => {
    this.#done += 1
    this.#bytes += item.bytes
    const seconds = (performance.now() - this.#startedMs) / 1000
    const progress = { done: this.#done, bytes: this.#bytes, seconds, counts: {} }
    const shown = item.failure === null ? {} : { text: `failed  ${item.path}  ${item.failure}` }
    const line = { json: item, progress, ...shown }
    this.#told = this.#told.then(() => this.#emit(line))
  }

  async end(images: ExportSummary, documents = { files: 0, bytes: 0, failed: 0 }): Promise<ExitStatus> {
    await this.#told
    const files = images.files + documents.files
    const bytes = images.bytes + documents.bytes
    const failed = images.failed + documents.failed
    const seconds = Number(((performance.now() - this.#startedMs) / 1000).toFixed(3))
    const summary: ExportSummary = { files, bytes, failed, seconds }
    const but = failed === 0 ? '' : `, ${failed} could not be given`
    await this.#emit({
      json: { summary },
      text: `${fileCount(files)}, ${sizeText(bytes)} in ${seconds} s${but}`,
    })
    return failed === 0 ? 0 : 2
  }
}
