import { nameKeys } from '#index/fold.ts'

/** How two values of one criterion compare; `missing` when either side says nothing. */
export type Likeness = 'equal' | 'similar' | 'different' | 'missing'

/** Letters further apart than these are different names, by the length of the shorter one. */
function editsAllowed(length: number): number {
  if (length >= 9) return 2
  return length >= 5 ? 1 : 0
}

/**
 * Compares two person names. Equal: one script agrees in all components, whatever case and accents. Similar: spelled
 * another way (MUELLER and MÜLLER, one slip of the pen), a second name or title on one side only, an initial, family
 * and given name exchanged, words split into components otherwise. The order of the arguments does not count.
 *
 * @param a `Alphabetic=Ideographic=Phonetic`, components split by `^`; null when not known. PS3.5 section 6.2.1
 */
export function compareNames(a: string | null, b: string | null): Likeness {
  const [left, right] = [nameKeys(a ?? ''), nameKeys(b ?? '')]
  const pairs = (['alphabetic', 'ideographic', 'phonetic'] as const)
    .map((script) => [left[script], right[script]] as const)
    .filter(([x, y]) => x !== '' && y !== '')
  if (pairs.length === 0) return 'missing'
  const likeness = pairs.map(([x, y]) => compareGroup(x, y))
  // Scripts are told by machines as often as by people: the best one counts, unless another one contradicts it.
  if (likeness.includes('different')) return likeness.every((each) => each === 'different') ? 'different' : 'similar'
  return likeness.includes('equal') ? 'equal' : 'similar'
}

function compareGroup(a: string, b: string): 'equal' | 'similar' | 'different' {
  if (a === b) return 'equal'
  const [x, y] = [partsOf(a), partsOf(b)]
  if (x.all !== '' && x.all === y.all) return 'similar'
  if (sameLetters(x.words, y.words)) return 'similar'
  const straight = alike(x.family, y.family) && givenAlike(x.given, y.given)
  const crossed = alike(x.family, y.given) && alike(x.given, y.family)
  return straight || crossed ? 'similar' : 'different'
}

/** True when the given names agree in one script: people change family names, seldom given ones. */
export function shareGivenName(a: string | null, b: string | null): boolean {
  const [left, right] = [nameKeys(a ?? ''), nameKeys(b ?? '')]
  return (['alphabetic', 'ideographic', 'phonetic'] as const).some((script) => {
    const [x, y] = [partsOf(left[script]).given, partsOf(right[script]).given]
    return x.length > 1 && alike(x, y)
  })
}

interface Parts {
  readonly family: string
  readonly given: string
  readonly all: string
  readonly words: readonly string[]
}

function partsOf(group: string): Parts {
  const components = group.split('^')
  const [family = '', given = '', middle = ''] = components.map(sound)
  const words = components
    .slice(0, 3)
    .flatMap((component) => component.split(/[\s,.'’-]+/))
    .map(sound)
    .filter((word) => word !== '')
  return { family, given, all: family + given + middle, words }
}

/** Letters only, spelled one way: umlauts written out, doubled letters, PH. Not a phonetic code: those guess. */
function sound(text: string): string {
  return text
    .replace(/[^\p{L}\p{N}]/gu, '')
    .replace(/([AOU])E/g, '$1')
    .replace(/PH/g, 'F')
    .replace(/(.)\1+/gu, '$1')
}

function sameLetters(a: readonly string[], b: readonly string[]): boolean {
  return a.length > 0 && [...a].sort().join(' ') === [...b].sort().join(' ')
}

/** A given name that is missing on one side, or an initial, does not speak against the other. */
function givenAlike(a: string, b: string): boolean {
  if (a === '' || b === '') return true
  if ((a.length === 1 || b.length === 1) && a[0] === b[0]) return true
  return alike(a, b)
}

function alike(a: string, b: string): boolean {
  if (a === '' || b === '') return false
  if (a === b) return true
  const most = editsAllowed(Math.min(a.length, b.length))
  return most > 0 && Math.abs(a.length - b.length) <= most && distance(a, b) <= most
}

/** Longest name that is compared letter by letter; names from outside have no length we could trust. */
const LETTERS_MAX = 64

/** Edits (insert, remove, replace, exchange neighbours) between two short texts. */
function distance(a: string, b: string): number {
  if (a.length > LETTERS_MAX || b.length > LETTERS_MAX) return Number.POSITIVE_INFINITY
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(
        (row[j - 1] ?? 0) + 1,
        (rows[i - 1]?.[j] ?? 0) + 1,
        (rows[i - 1]?.[j - 1] ?? 0) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1)
      }
      row.push(best)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? Number.POSITIVE_INFINITY
}
