import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Asked } from '#model/route.ts'

/** Why somebody decides something. */
export const reason = z.string('a reason is required').trim().min(1, 'a reason is required').max(2000)

/** The body of a decision that needs nothing else. */
export const reasoned = z.strictObject({ reason })

/** How a list is paged. `offset` is known to clients of other lists; here only its start can be asked for. */
export interface PageAsked {
  readonly limit: number
  readonly cursor?: string
}

const PAGE_DEFAULT = 50

/**
 * Checks the query of a list.
 * @param known names of its filters, beside `limit`, `cursor`, `offset`
 * @throws ArchiveError 'request.malformed' naming a parameter that is unknown, repeated or wrong
 */
export function pageAsked(asked: Pick<Asked, 'query'>, pageMax: number, known: readonly string[]): PageAsked {
  const { query } = asked
  const names = [...query.keys()]
  const unknown = names.find((name) => !known.includes(name) && !['limit', 'cursor', 'offset'].includes(name))
  if (unknown !== undefined) {
    throw new ArchiveError('request.malformed', `query: there is no parameter "${unknown.slice(0, 64)}"`, {
      hint: `There are ${[...known, 'limit', 'cursor'].join(', ')}.`,
    })
  }
  const repeated = names.find((name, at) => names.indexOf(name) !== at)
  if (repeated !== undefined) throw new ArchiveError('request.malformed', `query: "${repeated}" stands twice`)
  const limit = wholeNumber(query.get('limit') ?? String(PAGE_DEFAULT), 'limit')
  if (limit < 1) throw new ArchiveError('request.malformed', 'query: limit begins at 1')
  if (wholeNumber(query.get('offset') ?? '0', 'offset') > 0) {
    throw new ArchiveError('request.malformed', 'query: this list goes on with "cursor", not with "offset"')
  }
  const cursor = query.get('cursor')
  return { limit: Math.min(limit, pageMax), ...(cursor === null || cursor === '' ? {} : { cursor }) }
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ArchiveError('request.malformed', `query: ${name} is not a whole number`)
  return Number(text)
}

/** The filters that were given and are not empty, as an object to spread. */
export function filtersAsked<Name extends string>(
  asked: Pick<Asked, 'query'>,
  names: readonly Name[],
): { [name in Name]?: string } {
  const given: { [name in Name]?: string } = {}
  for (const name of names) {
    const value = asked.query.get(name)
    if (value !== null && value !== '') given[name] = value
  }
  return given
}

/** @throws ArchiveError 'request.malformed' unless the value is one of these */
export function oneOf(value: string | undefined, name: string, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value)) {
    throw new ArchiveError('request.malformed', `query: ${name} is one of ${allowed.join(', ')}`)
  }
}

/** @returns the instant in the form that is kept. @throws ArchiveError 'request.malformed' */
export function instantAsked(text: string | undefined, name: string): string | undefined {
  if (text === undefined) return undefined
  const instant = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : new Date(Number.NaN)
  if (Number.isNaN(instant.getTime())) {
    throw new ArchiveError('request.malformed', `query: ${name} is an instant such as 2026-11-24T10:00:00Z`)
  }
  return instant.toISOString()
}

/** @returns one path parameter, decoded */
export function pathParameter(asked: Asked, name: string): string {
  const { params } = asked
  const value: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined
  if (typeof value !== 'string' || value === '') throw new ArchiveError('request.malformed', `path: ${name} is missing`)
  return value
}

/**
 * Checks a JSON body.
 * @throws ArchiveError 'request.malformed' naming the wrong member
 */
export function bodyAsked<Schema extends z.ZodType>(asked: Asked, schema: Schema): z.output<Schema> {
  const result = schema.safeParse(asked.body ?? {})
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.join('.') ?? ''
  const why =
    issue?.code === 'unrecognized_keys' ? `there is no "${issue.keys[0] ?? ''}"` : (issue?.message ?? 'not valid')
  throw new ArchiveError('request.malformed', path === '' ? `body: ${why}` : `${path}: ${why}`)
}

/** JSON Schema of a body, for the OpenAPI document; made when that is asked for. */
export const jsonSchema = (schema: z.ZodType) => (): { readonly [keyword: string]: unknown } => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}

/** An answer that is a list. `total` is null where counting would cost a walk. */
export function listAnswer<Item>(items: readonly Item[], next: string | null, total: number | null = null): object {
  return { items, total, next }
}

export const LIST_SCHEMA = {
  type: 'object',
  required: ['items', 'total', 'next'],
  properties: { items: { type: 'array' }, total: { type: ['integer', 'null'] }, next: { type: ['string', 'null'] } },
} as const

export const PAGE_QUERY = { limit: 'Most items of the answer.', cursor: '`next` of the page before.' } as const
