import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { aboutKeys } from '#operations/backup.ts'
import { type RestoreSummary, restore } from '#operations/restore.ts'
import { type ArchiveCommand, type Flag, type Given, isSet, needed, type OwnCommand, text } from '../command.ts'
import { lockDataDirectory } from '../data-lock.ts'
import { fileCount, sizeText } from '../terminal.ts'

const PASSPHRASE: Flag = {
  type: 'string',
  value: 'FILE',
  about: 'file whose first line is the passphrase of the key file in the backup',
}

export const backupCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'backup',
  summary: 'Copy the archive to a folder while it runs',
  operands: '',
  flags: {
    out: { type: 'string', value: 'DIR', about: 'an empty or absent folder' },
    'passphrase-file': PASSPHRASE,
    link: { type: 'boolean', about: 'hard links for sealed segments where the volume allows: quick, no second copy' },
  },
  operandCount: [0, 0],
  more: 'Without a passphrase the key file stays out: keep a copy of keys/key elsewhere.',
  async run({ maintenance }, given, emit, signal) {
    const started = performance.now()
    const seconds = (): number => Math.round(performance.now() - started) / 1000
    const out = resolve(given.workingDirectory, needed(given, 'out'))
    const manifest = await maintenance.backup(
      { out, link: isSet(given, 'link'), ...(await passphraseIn(given)) },
      {
        signal,
        onProgress: ({ files, bytes }) => {
          void emit({ progress: { done: files, bytes, seconds: seconds(), counts: {} } })
        },
      },
    )
    const { keys, time, files } = manifest
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    await emit({
      json: { summary: { files: files.length, bytes, keys, time, seconds: seconds() } },
      text: `${fileCount(files.length)}, ${sizeText(bytes)} in ${seconds()} s: the archive as it was at ${time}`,
      note: aboutKeys(manifest),
    })
    return 0
  },
}

export const restoreCommand: OwnCommand = {
  runs: 'here',
  name: 'restore',
  summary: 'Bring a backup back into an empty data directory',
  operands: '',
  flags: { from: { type: 'string', value: 'DIR', about: 'the backup' }, 'passphrase-file': PASSPHRASE },
  operandCount: [0, 0],
  more: 'Every file is compared with its digest while it is copied. Interrupted, it goes on when repeated; until then no\nother command opens the directory. Run verify afterwards.',
  async run(dataDirectory, given, emit, signal) {
    const started = performance.now()
    const seconds = (): number => Math.round(performance.now() - started) / 1000
    const from = resolve(given.workingDirectory, needed(given, 'from'))
    const lock = lockDataDirectory(dataDirectory, { forRestore: true })
    let summary: RestoreSummary
    try {
      summary = await restore({
        from,
        data: dataDirectory,
        ...(await passphraseIn(given)),
        signal,
        onProgress: ({ files, bytes }) => {
          void emit({ progress: { done: files, bytes, seconds: seconds(), counts: {} } })
        },
      })
    } finally {
      lock.release()
    }
    const { files, bytes, time, keyRestored } = summary
    await emit({
      json: { summary: { ...summary, seconds: seconds() } },
      text: `${fileCount(files)}, ${sizeText(bytes)} in ${seconds()} s: the archive as it was at ${time}`,
      ...(keyRestored ? {} : { note: 'Put keys/key back from where it is kept, before the first start.' }),
    })
    return 0
  },
}

async function passphraseIn(given: Given): Promise<{ readonly passphrase?: string }> {
  const file = text(given, 'passphrase-file')
  if (file === undefined) return {}
  const [passphrase = ''] = (await readFile(resolve(given.workingDirectory, file), 'utf8')).split(/\r?\n/)
  return { passphrase }
}
