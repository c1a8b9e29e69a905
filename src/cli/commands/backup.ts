import { isAbsolute, resolve } from 'node:path'
import { aboutKeys } from '#operations/backup.ts'
import { restore } from '#operations/restore.ts'
import { type ArchiveCommand, type Given, isSet, needed, type OwnCommand } from '../command.ts'
import { sizeText } from '../terminal.ts'

export const backupCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'backup',
  summary: 'Write a consistent copy of everything, while it is in use',
  operands: '',
  flags: {
    out: { type: 'string', value: 'DIR', about: 'an empty or new folder' },
    link: { type: 'boolean', about: 'link sealed segments instead of copying them (same volume; not a second copy)' },
    'passphrase-file': {
      type: 'string',
      value: 'FILE',
      about: 'puts the key of the quarantine in, encrypted with the text in FILE',
    },
  },
  operandCount: [0, 0],
  more: 'Without --passphrase-file the key stays out: keep a copy of keys/key elsewhere.',
  async run({ maintenance }, given, emit, signal) {
    const passphrase = await passphraseOf(given)
    const manifest = await maintenance.backup(
      { out: absolute(given, 'out'), link: isSet(given, 'link'), ...(passphrase === undefined ? {} : { passphrase }) },
      { signal },
    )
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
    await emit({
      json: { summary: { files: manifest.files.length, bytes, time: manifest.time, keys: manifest.keys } },
      text: `${manifest.files.length} files, ${sizeText(bytes)}, as of ${manifest.time}. ${aboutKeys(manifest)}`,
    })
    return 0
  },
}

export const restoreCommand: OwnCommand = {
  runs: 'here',
  name: 'restore',
  summary: 'Bring a backup back into an empty data directory',
  operands: '',
  flags: {
    from: { type: 'string', value: 'DIR', about: 'the backup' },
    'passphrase-file': { type: 'string', value: 'FILE', about: 'opens the key that is in the backup' },
  },
  operandCount: [0, 0],
  async run(dataDirectory, given, emit, signal) {
    const passphrase = await passphraseOf(given)
    const summary = await restore({
      from: absolute(given, 'from'),
      data: dataDirectory,
      signal,
      ...(passphrase === undefined ? {} : { passphrase }),
    })
    const key = summary.keyRestored ? '' : ' The key is not in it: put keys/key back by hand.'
    await emit({
      json: { summary },
      text: `${summary.files} files, ${sizeText(summary.bytes)}, as of ${summary.time}.${key} Now run diptych verify.`,
    })
    return 0
  },
}

function absolute(given: Given, flag: string): string {
  const path = needed(given, flag)
  return isAbsolute(path) ? path : resolve(given.workingDirectory, path)
}

async function passphraseOf(given: Given): Promise<string | undefined> {
  if (given.flags['passphrase-file'] === undefined) return undefined
  const { readFile } = await import('node:fs/promises')
  return (await readFile(absolute(given, 'passphrase-file'), 'utf8')).replace(/\r?\n$/, '')
}
