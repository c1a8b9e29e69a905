import type { AttributeChange, OverlayScope } from '#model/identity.ts'
import type { InstanceMetadata, Sender } from '#model/reconciliation.ts'
import type { CoercionRules } from '#model/settings.ts'
import { type JsonDataSet as DataSet, itemsOf, valuesAt, vrOf } from '#standards/dicom/json-path.ts'

/** Attributes no rule touches: they say which object it is, how it is coded, and what happened to it. */
const PROTECTED: ReadonlySet<string> = new Set(['00080016', '00080018', '0020000D', '0020000E', '00080005', '04000561'])

/** Most private elements one instance loses on its way out; more than this is no header any more. */
const PRIVATE_MAX = 2000
/** Deepest item that is looked into. */
const DEPTH_MAX = 16

/** True when an originator has any rule at all. */
export function hasRules({ defaults, map, privateElements }: CoercionRules): boolean {
  return defaults.length > 0 || map.length > 0 || privateElements !== 'keep'
}

/** True when a rule may change an attribute: identity, coding, pixels and File Meta are left alone. */
export function mayCoerce(path: string): boolean {
  const top = path.slice(0, 8)
  return !PROTECTED.has(top) && !top.startsWith('0002') && !top.startsWith('7FE0') && !top.startsWith('FFFE')
}

/**
 * What the rules of an originator make of one instance: first the map, then defaults for what is still empty, then
 * private elements. Nothing for what is that way already. Pure.
 */
export function ruleChanges(rules: CoercionRules, dataSet: DataSet): readonly AttributeChange[] {
  const changed = new Map<string, AttributeChange>()
  for (const { from, to, vr, values } of rules.map) {
    const found = valuesAt(dataSet, from)
    if (found.length === 0 || !mayCoerce(to)) continue
    const mapped = found.map((value) => (Object.hasOwn(values, value) ? (values[value] ?? value) : value))
    if (!sameTexts(mapped, valuesAt(dataSet, to))) changed.set(to, { path: to, vr, values: mapped })
  }
  for (const { path, vr, values } of rules.defaults) {
    if (changed.has(path) || !mayCoerce(path) || valuesAt(dataSet, path).some((value) => value !== '')) continue
    changed.set(path, { path, vr, values })
  }
  return [...changed.values(), ...privateChanges(rules, dataSet)]
}

/** `strip` leaves out every private element, `replace` those that the map carried into another attribute. */
function privateChanges({ privateElements, map }: CoercionRules, dataSet: DataSet): AttributeChange[] {
  if (privateElements === 'keep') return []
  const carried = new Set(map.map(({ from }) => from))
  const paths: { path: string; vr: string }[] = []
  privatePaths(dataSet, '', 0, paths)
  return paths
    .filter(({ path }) => privateElements === 'strip' || carried.has(path))
    .slice(0, PRIVATE_MAX)
    .map(({ path, vr }) => ({ path, vr, values: null }))
}

function privatePaths(dataSet: DataSet, prefix: string, depth: number, into: { path: string; vr: string }[]): void {
  if (depth > DEPTH_MAX) return
  for (const [tag, element] of Object.entries(dataSet)) {
    if (into.length >= PRIVATE_MAX) return
    const vr = vrOf(element)
    if (isPrivate(tag)) {
      into.push({ path: `${prefix}${tag}`, vr })
      continue
    }
    if (vr !== 'SQ') continue
    for (const [at, item] of itemsOf(element).entries()) privatePaths(item, `${prefix}${tag}/${at}/`, depth + 1, into)
  }
}

function isPrivate(tag: string): boolean {
  return (Number.parseInt(tag.slice(3, 4), 16) & 1) === 1
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, at) => text === b[at])
}

/** One correction of one originator, with where it holds. */
export interface ScopedChanges {
  readonly scope: Extract<OverlayScope, { of: 'study' }>
  readonly originator: string
  readonly changes: readonly AttributeChange[]
}

/**
 * What rules make of a whole study, said once where it is the same: for the study, else per series, else per instance.
 * @param rulesOf the originator of a sender and its rules; undefined when it has none
 */
export function studyChanges(
  studyInstanceUID: string,
  instances: Iterable<InstanceMetadata>,
  rulesOf: (sender: Sender) => { readonly name: string; readonly rules: CoercionRules } | undefined,
): readonly ScopedChanges[] {
  const all: (ScopedChanges & { readonly key: string; readonly series: string })[] = []
  for (const { sender, dataSet, seriesInstanceUID, sopInstanceUID } of instances) {
    const found = rulesOf(sender)
    const changes = found === undefined ? [] : ruleChanges(found.rules, dataSet())
    const originator = found?.name ?? ''
    const scope = { of: 'study', studyInstanceUID, seriesInstanceUID, sopInstanceUID } as const
    const key = JSON.stringify([originator, changes])
    all.push({ scope, originator, changes, key, series: seriesInstanceUID })
  }
  const [first] = all
  if (first === undefined) return []
  const told = ({ originator, changes }: ScopedChanges, scope: ScopedChanges['scope']): ScopedChanges[] =>
    changes.length === 0 ? [] : [{ scope, originator, changes }]
  if (all.every(({ key }) => key === first.key)) return told(first, { of: 'study', studyInstanceUID })
  const bySeries = Map.groupBy(all, ({ series }) => series)
  return [...bySeries].flatMap(([seriesInstanceUID, members]) => {
    const [one] = members
    if (one !== undefined && members.every(({ key }) => key === one.key)) {
      return told(one, { of: 'study', studyInstanceUID, seriesInstanceUID })
    }
    return members.flatMap((member) => told(member, member.scope))
  })
}
