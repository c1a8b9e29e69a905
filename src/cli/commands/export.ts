import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ArchiveError } from '#errors.ts'
import type { ExportItem, ExportSummary } from '#operations/export.ts'
import type { Archive } from '../../app.ts'
import {
  type ArchiveCommand,
  type Emit,
  type ExitStatus,
  type Given,
  isSet,
  needed,
  texts,
  UsageError,
} from '../command.ts'
import { sizeText } from '../terminal.ts'

export const exportCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'export',
  summary: 'Write plain Part 10 files, for another system or for a disc',
  operands: '',
  flags: {
    out: { type: 'string', value: 'DIR', about: 'an empty or absent folder; with --zip the name of the file' },
    study: { type: 'string', value: 'UID', multiple: true, about: 'only these studies; else everything' },
    media: { type: 'boolean', about: 'names of eight characters and a DICOMDIR, as media demand' },
    zip: { type: 'boolean', about: 'one ZIP file' },
    iso: { type: 'boolean', about: 'a disc image; not in this version' },
  },
  operandCount: [0, 0],
  more: 'Every preamble is zero, unless it is a TIFF that passed. Digests are compared while reading.',
  async run(archive, given, emit, signal) {
    if (isSet(given, 'iso')) throw new UsageError('--iso is not in this version; write the folder of --media to a disc')
    return isSet(given, 'zip') ? toZip(archive, given, emit, signal) : toFolder(archive, given, emit, signal)
  },
}

async function toFolder(archive: Archive, given: Given, emit: Emit, signal: AbortSignal): Promise<ExitStatus> {
  const out = resolve(given.workingDirectory, needed(given, 'out'))
  const tally = new Tally(emit)
  return tally.end(await archive.maintenance.exportFolder(out, optionsOf(given), { onItem: tally.item, signal }))
}

async function toZip(archive: Archive, given: Given, emit: Emit, signal: AbortSignal): Promise<ExitStatus> {
  const out = resolve(given.workingDirectory, needed(given, 'out'))
  const tally = new Tally(emit)
  const { stream, finished } = archive.maintenance.exportZip(optionsOf(given), { onItem: tally.item, signal })
  try {
    await pipeline(Readable.from(stream), createWriteStream(out, { flags: 'wx', flush: true }), { signal })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new ArchiveError('request.conflict', `${out} exists`)
    throw error
  }
  return tally.end(finished())
}

function optionsOf(given: Given): { readonly studies?: readonly string[]; readonly media: boolean } {
  const studies = texts(given, 'study')
  return { media: isSet(given, 'media'), ...(studies.length === 0 ? {} : { studies }) }
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

  readonly item = (item: ExportItem): void => {
    this.#done += 1
    this.#bytes += item.bytes
    const seconds = (performance.now() - this.#startedMs) / 1000
    const progress = { done: this.#done, bytes: this.#bytes, seconds, counts: {} }
    const shown = item.failure === null ? {} : { text: `failed  ${item.path}  ${item.failure}` }
    const line = { json: item, progress, ...shown }
    this.#told = this.#told.then(() => this.#emit(line))
  }

  async end(summary: ExportSummary): Promise<ExitStatus> {
    await this.#told
    const { files, bytes, failed, seconds } = summary
    const but = failed === 0 ? '' : `, ${failed} could not be given`
    await this.#emit({
      json: { summary },
      text: `${files} files, ${sizeText(bytes)} in ${seconds} s${but}`,
    })
    return failed === 0 ? 0 : 2
  }
}
