import { type Config, loadConfig } from '../config.ts'

/** Where a node's configuration is looked for: named by DIPTYCH_CONFIG, else in the current folder. */
export function configurationFor(given: { readonly [section: string]: { readonly [key: string]: unknown } }): Config {
  return loadConfig({
    file: process.env['DIPTYCH_CONFIG'] ?? 'diptych.config.json',
    environment: process.env,
    given,
  })
}
