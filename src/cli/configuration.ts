import { join } from 'node:path'
import { type Config, loadConfig } from '../config.ts'

/** A node's configuration: the file named by DIPTYCH_CONFIG, else the one in the data directory; then environment, flags. */
export function configurationFor(
  dataDirectory: string,
  given: { readonly [section: string]: { readonly [key: string]: unknown } },
): Config {
  return loadConfig({
    file: process.env['DIPTYCH_CONFIG'] ?? join(dataDirectory, 'diptych.config.json'),
    environment: process.env,
    given,
  })
}
