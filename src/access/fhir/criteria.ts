import { type Filter, tokenOf, unescaped } from '#standards/fhir/search-syntax.ts'

/** A token as a search asks for it: an empty system is any. */
export interface AskedToken {
  readonly system: string
  readonly code: string
}

/**
 * The conditions of one search while sources take those that an index answers. What is left is matched on the
 * resources themselves.
 */
export class Criteria {
  readonly #left: Filter[]

  constructor(filters: readonly Filter[]) {
    this.#left = [...filters]
  }

  /** Conditions nobody has taken. */
  get left(): readonly Filter[] {
    return this.#left
  }

  /** The first condition of a name without modifier; it stays. */
  peek(...codes: readonly string[]): Filter | undefined {
    return this.#left.find(({ code, modifier }) => codes.includes(code) && modifier === null)
  }

  take(filter: Filter): void {
    const at = this.#left.indexOf(filter)
    if (at >= 0) this.#left.splice(at, 1)
  }

  /** Takes the alternatives of a condition as they are. */
  values(code: string): readonly string[] | undefined {
    const filter = this.peek(code)
    if (filter === undefined) return undefined
    this.take(filter)
    return filter.values.map(unescaped)
  }

  /** Takes a token condition, when every alternative names a code. */
  tokens(code: string): readonly AskedToken[] | undefined {
    const filter = this.peek(code)
    if (filter === undefined) return undefined
    const tokens = filter.values.map(tokenOf)
    const plain = tokens.flatMap(({ system, code: wanted }) =>
      wanted === null || system === '' ? [] : [{ system: system ?? '', code: wanted }],
    )
    if (plain.length !== tokens.length) return undefined
    this.take(filter)
    return plain
  }

  /** Takes the condition on the patient: ids of `patient` or `subject`. Those of other types match nothing. */
  patients(): readonly string[] | undefined {
    return this.references('Patient', 'patient', 'subject')
  }

  /** Takes a condition on a reference to one type: the ids. */
  references(type: string, ...codes: readonly string[]): readonly string[] | undefined {
    const filter = this.#left.find(
      ({ code, modifier }) => codes.includes(code) && (modifier === null || modifier === type),
    )
    if (filter === undefined) return undefined
    this.take(filter)
    return filter.values.map(unescaped).map((value) => {
      const match = /(?:^|\/)([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/.*)?$/.exec(value)
      if (match === null) return value
      return match[1] === type ? (match[2] ?? '') : ''
    })
  }
}
