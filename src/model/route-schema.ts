/** JSON Schema as the OpenAPI document carries it. */
export interface AnswerSchema {
  readonly [keyword: string]: unknown
}

/** A member of `T` by name; with `?` behind it where an answer may lack it. */
type Member<T> = (keyof T & string) | `${keyof T & string}?`

/** Schema of an answer by its members: their names are checked by the compiler, their values are told by the types. */
export function shape<T extends object>(...members: readonly Member<T>[]): AnswerSchema {
  const names = members.map((member) => member.replace(/\?$/, ''))
  return {
    type: 'object',
    required: names.filter((_, at) => members[at]?.endsWith('?') === false),
    properties: Object.fromEntries(names.map((name) => [name, {}])),
  }
}

/** Schema of a list whose items have this one. contract.md, `/api/v1` essentials. */
export function listOf(items: AnswerSchema, more: { readonly [member: string]: AnswerSchema } = {}): AnswerSchema {
  return {
    type: 'object',
    required: ['items', 'total', 'next', ...Object.keys(more)],
    properties: {
      ...{ items: { type: 'array', items }, total: { type: ['integer', 'null'] }, next: { type: ['string', 'null'] } },
      ...more,
    },
  }
}
