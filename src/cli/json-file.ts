import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Given, text, UsageError } from './command.ts'

/**
 * The JSON object in the file of `--file`; empty when none was named.
 * @throws UsageError when it holds anything else
 */
export async function jsonFile(given: Given): Promise<object> {
  const file = text(given, 'file')
  if (file === undefined) return {}
  const content = await readFile(resolve(given.workingDirectory, file), 'utf8')
  try {
    const parsed: unknown = JSON.parse(content)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new UsageError(`${file} does not hold a JSON object`)
}
