/** Letters that Unicode does not take apart into a letter and a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  Æ: 'AE',
  Œ: 'OE',
  Ø: 'O',
  Ł: 'L',
  Đ: 'D',
  Ð: 'D',
  Þ: 'TH',
  Ħ: 'H',
  ẞ: 'SS',
}

const PLAIN = /^[\x20-\x7e]*$/
const DIACRITICS = /[\u0300-\u036f]/g
const SPECIAL = /[ÆŒØŁĐÐÞĦẞ]/g

/**
 * Upper case, without diacritics and width variants: how person names are compared. PS3.4 C.2.2.2.1 leaves names to
 * the archive: case, accents and repeated spaces do not count. Voicing marks of Japanese stay.
 */
export function fold(text: string): string {
  const upper = PLAIN.test(text)
    ? text.toUpperCase()
    : text
        .normalize('NFKD')
        .replace(DIACRITICS, '')
        .normalize('NFC')
        .toUpperCase()
        .replace(SPECIAL, (letter) => LETTERS[letter] ?? letter)
  return upper.replace(/ {2,}/g, ' ').trim()
}

/** One component group, folded: empty components at the end do not count. PS3.5 section 6.2.1.1. */
function foldGroup(group: string): string {
  const components = group.split('^').map(fold)
  while (components.length > 0 && components.at(-1) === '') components.pop()
  return components.join('^')
}

/** A person name by script, each folded; empty text where a group is missing. */
export interface NameKeys {
  readonly alphabetic: string
  readonly ideographic: string
  readonly phonetic: string
}

/** @param name `Alphabetic=Ideographic=Phonetic`, components split by `^`. PS3.5 section 6.2.1 */
export function nameKeys(name: string): NameKeys {
  const [alphabetic = '', ideographic = '', phonetic = ''] = name.split('=')
  return {
    alphabetic: foldGroup(alphabetic),
    ideographic: foldGroup(ideographic),
    phonetic: foldGroup(phonetic),
  }
}

/** Every script of a name that has a value, folded. */
export function nameGroups(name: string): string[] {
  const { alphabetic, ideographic, phonetic } = nameKeys(name)
  return [...new Set([alphabetic, ideographic, phonetic])].filter((group) => group !== '')
}

/** Folded words of a name in all its scripts: what fuzzy matching compares. */
export function nameWords(name: string): string[] {
  const words = nameGroups(name).flatMap((group) => group.split(/[\s^,.'’-]+/))
  return [...new Set(words)].filter((word) => word !== '')
}

/** A wild card pattern taken apart. PS3.4 C.2.2.2.4: `*` is any run, `?` one character, there is no escape. */
export interface Pattern {
  /** For SQLite GLOB: brackets are literal. */
  readonly glob: string
  /** Literal text before the first wild card. */
  readonly prefix: string
  /** True when the pattern is `prefix*`. */
  readonly prefixOnly: boolean
  /** Literal runs between wild cards. */
  readonly literals: readonly string[]
}

/** More wild cards than this in one value are refused: they make comparing slow and say nothing more. */
export const WILDCARDS_MAX = 16

export function parsePattern(text: string): Pattern {
  const collapsed = text.replace(/\*{2,}/g, '*')
  const first = collapsed.search(/[*?]/)
  return {
    glob: collapsed.replace(/\[/g, '[[]'),
    prefix: first < 0 ? collapsed : collapsed.slice(0, first),
    prefixOnly: first === collapsed.length - 1 && collapsed.endsWith('*'),
    literals: collapsed.split(/[*?]/).filter((run) => run !== ''),
  }
}

/** Smallest text above every text that starts with `prefix`, in UTF-8 order; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0)
  while (points.length > 0) {
    const last = points.pop() ?? 0
    if (last >= 0x10ffff) continue
    // Surrogates are no characters: the next one stands behind them.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}

/** Trigrams of folded literal runs, for the trigram index; empty when every run is shorter than three characters. */
export function trigrams(literals: readonly string[]): string[] {
  const found = new Set<string>()
  for (const run of literals) {
    const chars = Array.from(run)
    for (let i = 0; i + 3 <= chars.length; i++) found.add(chars.slice(i, i + 3).join(''))
  }
  return [...found]
}
