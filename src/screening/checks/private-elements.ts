import type { Door } from '#model/arrival.ts'
import { isKnownPrivateCreator } from '#standards/dicom/dictionary.ts'
import type { BodyFacts } from '../body-facts.ts'
import type { Draft } from '../screened.ts'
import { type Rule, rule } from './rule.ts'

export const privateElementRules: readonly Rule[] = [
  rule(
    'B4',
    'PS3.5 section 7.8; threat catalogue 1.2',
    'keep',
    ['keep', 'sanitise', 'quarantine', 'reject'],
    'Private elements under a known creator.',
    'Vendors keep what their own applications need; a site may strip them.',
  ),
  rule(
    'B5',
    'PS3.5 section 7.8; threat catalogue 1.2',
    'keep',
    ['keep', 'sanitise', 'quarantine', 'reject'],
    'Private elements under a creator nobody knows, by a door where anybody may come.',
    'They are recorded; a site may strip them.',
  ),
]

const openDoors = new Set<Door>(['media', 'mailbox', 'web', 'stow'])
const NAMED_MAX = 20

/**
 * Records private elements, and prepares their removal where the policy strips them.
 *
 * @param strip whether the policy removes private elements
 */
export function checkPrivateElements(facts: BodyFacts, door: Door, strip: boolean): Draft[] {
  const drafts: Draft[] = []
  if (facts.creators.size === 0 && facts.privateElements.length === 0) return drafts
  const known: string[] = []
  const unknown: string[] = []
  for (const creator of facts.creators) (isKnownPrivateCreator(creator) ? known : unknown).push(creator)
  const list = (names: readonly string[]) =>
    names
      .slice(0, NAMED_MAX)
      .map((name) => JSON.stringify(name))
      .join(', ')
  if (known.length > 0) drafts.push(draft('B4', `private elements by ${list(known)}`))
  if (unknown.length > 0 && openDoors.has(door))
    drafts.push(draft('B5', `private elements by a creator nobody knows: ${list(unknown)}`))
  if (!strip) return drafts
  for (const [i, range] of facts.privateElements.entries()) {
    drafts.push({
      rule: 'private-stripped',
      severity: 'sanitise',
      detail: `${range.end - range.start} bytes of private elements are removed by policy`,
      offset: range.start,
      tag: null,
      remove: range,
      removesElements: true,
      ...(i === 0 ? { rewrite: facts.lengthRewrites } : {}),
    })
  }
  if (facts.privateTooMany) {
    drafts.push({
      rule: 'private-many',
      severity: 'quarantine',
      detail: `more than ${facts.privateElements.length} stretches of private elements`,
      offset: null,
      tag: null,
    })
  }
  return drafts
}

export const strippingRules: readonly Rule[] = [
  rule(
    'private-stripped',
    'site or originator policy',
    'sanitise',
    ['sanitise'],
    'Private elements were removed because the policy strips them.',
    'The policy says so; each range is recorded. Lengths of sequences, items and groups around them are written anew.',
  ),
  rule(
    'private-many',
    'site or originator policy',
    'quarantine',
    ['quarantine', 'reject'],
    'The policy strips private elements, and they stand in more than 100,000 places.',
    'Not all of them could be removed: a person decides.',
  ),
]

function draft(rule: string, detail: string): Draft {
  return { rule, severity: 'info', detail, offset: null, tag: null }
}
