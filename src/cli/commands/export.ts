import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
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

/** Plain Part 10 files: what one needs to walk away. */
export const exportCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'export',
  summary: 'Write objects as plain DICOM files',
  operands: '',
  flags: {
    out: { type: 'string', value: 'DIR', about: 'where to; an empty or new folder' },
    study: { type: 'string', multiple: true, value: 'UID', about: 'only this study; may be repeated' },
    media: { type: 'boolean', about: 'names and DICOMDIR of a DICOM medium' },
    zip: { type: 'boolean', about: 'one file DIR/export.zip instead of a folder tree' },
    iso: { type: 'boolean', about: 'an image of a disc; not in this version' },
  },
  operandCount: [0, 0],
  async run(archive, given, emit, signal) {
    if (isSet(given, 'iso')) throw new UsageError('--iso is not in this version; --media --zip holds the same files')
    const named = needed(given, 'out')
    const out = isAbsolute(named) ? named : resolve(given.workingDirectory, named)
    const told: (void | Promise<void>)[] = []
    const onItem = (item: ExportItem) => {
      const line = { json: item, ...(item.failure === null ? {} : { text: `${item.path}  ${item.failure}` }) }
      told.push(emit(line))
    }
    const studies = texts(given, 'study')
    const options = { media: isSet(given, 'media'), ...(studies.length === 0 ? {} : { studies }) }
    const summary = isSet(given, 'zip')
      ? await zip(archive, join(out, 'export.zip'), options, { onItem, signal })
      : await archive.maintenance.exportFolder(out, options, { onItem, signal })
    await Promise.all(told)
    return finish(archive, given, summary, out, emit)
  },
}

async function zip(
  archive: Archive,
  path: string,
  options: Parameters<Archive['maintenance']['exportZip']>[0],
  tools: Parameters<Archive['maintenance']['exportZip']>[1],
): Promise<ExportSummary> {
  await mkdir(dirname(path), { recursive: true })
  const { stream, finished } = archive.maintenance.exportZip(options, tools)
  const part = `${path}.part`
  try {
    await pipeline(Readable.from(stream), createWriteStream(part, { flags: 'wx' }))
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  return finished()
}

async function finish(
  archive: Archive,
  given: Given,
  summary: ExportSummary,
  out: string,
  emit: Emit,
): Promise<ExitStatus> {
  await archive.auditor.note('local', {
    kind: 'export',
    detail: `${summary.files} files; studies: ${texts(given, 'study').join(' ') || 'all'}`,
    count: summary.files,
  })
  const failed = summary.failed === 0 ? '' : `, ${summary.failed} could not be read`
  await emit({
    json: { summary },
    text: `${summary.files} files, ${sizeText(summary.bytes)} in ${summary.seconds.toFixed(1)} s to ${out}${failed}`,
  })
  return summary.failed === 0 ? 0 : 2
}
