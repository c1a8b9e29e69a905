import { isJson, type Json } from './xml-write.ts'

/** What is done with an extension: understood, kept without meaning, left out, or a reason to refuse the whole. */
export type ExtensionUse = 'honour' | 'inert' | 'strip' | 'refuse'

/** By address of the extension; `*` for all that are not named. */
export type ExtensionPolicy = { readonly [url: string]: ExtensionUse }

/** Extensions as they stand in one place of a resource: `content[0].attachment`, `_birthDate`, or the resource itself. */
export interface ExtensionPlace {
  readonly at: string
  readonly extension: readonly unknown[]
}

export interface PolicyResult {
  /** Places of extensions that are refused: `Patient.name[0].extension[1]`, with their addresses. */
  readonly refused: readonly { readonly at: string; readonly url: string }[]
  /** Addresses of those that were taken out. */
  readonly stripped: readonly string[]
}

export function useOf(policy: ExtensionPolicy, url: string): ExtensionUse {
  return (Object.hasOwn(policy, url) ? policy[url] : policy['*']) ?? 'inert'
}

/** Modifier extensions a policy understands by name: `*` understands none. */
export function honoured(policy: ExtensionPolicy): ReadonlySet<string> {
  return new Set(Object.keys(policy).filter((url) => url !== '*' && policy[url] === 'honour'))
}

/**
 * Applies a policy to a resource with all that is contained in it: takes out what is to be left out, and says what is
 * refused. Extensions inside an extension go with it. Only the resource given is changed.
 * @param at where it stands in what was sent
 */
export function applyExtensionPolicy(resource: Json, policy: ExtensionPolicy, at: string): PolicyResult {
  const refused: { at: string; url: string }[] = []
  const stripped: string[] = []
  const walk = (value: unknown, here: string): void => {
    if (Array.isArray(value)) {
      value.forEach((one, i) => void walk(one, `${here}[${i}]`))
      return
    }
    if (!isJson(value)) return
    const holder = value as { [name: string]: unknown }
    for (const [name, member] of Object.entries(holder)) {
      if (name !== 'extension' || !Array.isArray(member)) {
        walk(member, `${here}.${name}`)
        // FHIR has no empty objects.
        if (isJson(member) && Object.keys(member).length === 0) delete holder[name]
        continue
      }
      const kept = member.filter((one: unknown, i) => {
        const url = isJson(one) && typeof one['url'] === 'string' ? one['url'] : ''
        const use = useOf(policy, url)
        if (use === 'refuse') refused.push({ at: `${here}.extension[${i}]`, url })
        if (use === 'strip') stripped.push(url)
        return use !== 'strip'
      })
      if (kept.length === member.length) continue
      if (kept.length > 0) holder[name] = kept
      else delete holder[name]
    }
  }
  walk(resource, at)
  return { refused, stripped }
}

/**
 * Every extension below the resource itself, with its place, so that a resource that is kept in other words can be given back
 * with them. Those of contained resources are left out: these are taken apart.
 */
export function extensionsBelow(resource: Json): ExtensionPlace[] {
  const found: ExtensionPlace[] = []
  const walk = (value: unknown, here: string): void => {
    if (Array.isArray(value)) {
      value.forEach((one, i) => void walk(one, `${here}[${i}]`))
      return
    }
    if (!isJson(value)) return
    const { extension } = value
    if (here !== '' && Array.isArray(extension)) found.push({ at: here, extension })
    for (const [name, member] of Object.entries(value)) {
      if (name === 'extension' || name === 'contained') continue
      walk(member, here === '' ? name : `${here}.${name}`)
    }
  }
  walk(resource, '')
  return found
}

/** Puts extensions back where they stood, as far as the places are still there. The resource is changed. */
export function putExtensionsBack(resource: Json, places: readonly ExtensionPlace[]): void {
  for (const { at, extension } of places) {
    const path = at.split(/[.[\]]+/).filter((part) => part !== '')
    let value: unknown = resource
    for (const [i, part] of path.entries()) {
      const holder = value as { [name: string]: unknown }
      // A primitive keeps its extensions beside it: `_title` is there as soon as `title` is.
      const isBeside = part.startsWith('_') && holder[part] === undefined && typeof holder[part.slice(1)] === 'string'
      if (isBeside && i === path.length - 1) holder[part] = {}
      value = holder[part]
      if (typeof value !== 'object' || value === null) break
    }
    if (!isJson(value) || Array.isArray(value)) continue
    const held = value as { extension?: unknown }
    held.extension ??= extension
  }
}
