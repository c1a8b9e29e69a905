import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ArchiveCommand, action, operand, UsageError } from '../command.ts'

export const settingsCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'settings',
  summary: 'Site settings: see, change, move',
  operands: 'list | get KEY | set KEY VALUE | unset KEY | history KEY | export FILE | import FILE',
  flags: {},
  operandCount: [1, 3],
  more: 'A value is JSON, or text where it is no JSON. A change is versioned, audited and takes effect at once.',
  async run({ settings }, given, emit) {
    const what = action(given, ['list', 'get', 'set', 'unset', 'history', 'export', 'import'])
    if (what === 'list') {
      for (const setting of settings.all()) {
        const { key, value, set, what: about } = setting
        await emit({
          json: setting,
          text: `${key.padEnd(34)} ${JSON.stringify(value)}${set ? '' : ' (default)'}\n    ${about}`,
        })
      }
      return 0
    }
    if (what === 'export' || what === 'import') {
      const file = resolve(given.workingDirectory, operand(given, 1, 'the file'))
      if (what === 'export') {
        const site = settings.export()
        await writeFile(file, `${JSON.stringify(site, null, 2)}\n`)
        await emit({ json: { exported: file }, text: `written to ${file}` })
        return 0
      }
      const counts = await settings.import(JSON.parse(await readFile(file, 'utf8')), 'local', null)
      const { settings: set, originators, peers } = counts
      await emit({ json: counts, text: `${set} settings, ${originators} originators, ${peers} peers taken over` })
      return 0
    }
    const key = operand(given, 1, 'the key of the setting')
    const known = settings.all().find((setting) => setting.key === key)
    if (known === undefined) throw new UsageError(`there is no setting ${key}; settings list shows all`)
    if (what === 'get') {
      await emit({ json: known, text: JSON.stringify(known.value) })
      return 0
    }
    if (what === 'history') {
      for (const version of settings.history(key)) {
        const { time, by, value } = version
        await emit({ json: version, text: `${time}  ${by.padEnd(20)} ${JSON.stringify(value)}` })
      }
      return 0
    }
    const value = what === 'unset' ? null : jsonOrText(operand(given, 2, 'the value'))
    await settings.change({ [key]: value }, 'local', null)
    const now = settings.all().find((setting) => setting.key === key)
    await emit({ json: now, text: `${key} is ${JSON.stringify(now?.value)}` })
    return 0
  },
}

/** JSON, or text where it is no JSON. */
function jsonOrText(given: string): unknown {
  try {
    return JSON.parse(given)
  } catch {
    return given
  }
}
