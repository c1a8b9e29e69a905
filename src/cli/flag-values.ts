import { type Given, text, texts } from './command.ts'

/** Values of flags under the names that what they describe has for them; flags that were not given are left out. */
export function flagValues(
  given: Given,
  single: { readonly [flag: string]: string },
  many: { readonly [flag: string]: string },
): { [name: string]: unknown } {
  const values: { [name: string]: unknown } = {}
  for (const [flag, name] of Object.entries(single)) {
    const value = text(given, flag)
    if (value !== undefined) values[name] = value
  }
  for (const [flag, name] of Object.entries(many)) {
    const all = texts(given, flag)
    if (all.length > 0) values[name] = all
  }
  return values
}
