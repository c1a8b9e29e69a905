import type { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Permission } from '#model/permission.ts'
import type { Route } from '#model/route.ts'
import { type AnswerSchema, listOf } from '#model/route-schema.ts'
import { jsonSchema, listAnswer, pageAsked, pathParameter } from './ask.ts'

/** A register of the site whose entries have names: what its routes are made of. */
export interface Register<Entry> {
  /** Path of the list; `parameter` names an entry behind it. */
  readonly url: string
  readonly parameter: string
  /** One entry in words, as messages say it. */
  readonly entry: string
  readonly needs: Permission
  readonly lists: string
  readonly body: z.ZodType
  readonly shape: AnswerSchema
  readonly example: object
  all(): readonly Entry[]
  get(name: string): Entry | undefined
  nameOf(entry: Entry): string
  put(given: unknown, by: string, address: string | null): Promise<Entry>
  remove(name: string, by: string, address: string | null): Promise<void>
}

/** The list, one entry, adding or replacing one, and taking one out. */
export function registerRoutes<Entry>(register: Register<Entry>, pageMax: number): readonly Route[] {
  const { url, parameter, entry, needs, shape, example } = register
  const standard = 'Diptych pages'
  const one = `${url}/:${parameter}`
  const article = /^[aeiou]/.test(entry) ? 'an' : 'a'
  return [
    {
      method: 'GET',
      url,
      standard,
      needs: 'settings.read',
      describes: { summary: register.lists, response: listOf(shape) },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = register.all()
        return listAnswer(items, null, items.length)
      },
    },
    {
      method: 'GET',
      url: one,
      standard,
      needs: 'settings.read',
      describes: { summary: `One ${entry}.`, response: shape },
      async handle(asked) {
        const found = register.get(pathParameter(asked, parameter))
        if (found === undefined) throw new ArchiveError('request.not-found', entry)
        return found
      },
    },
    {
      method: 'POST',
      url,
      standard,
      needs,
      body: 'json',
      describes: {
        summary: `Adds ${article} ${entry} (201), or replaces the one of that name (200).`,
        ...{ request: jsonSchema(register.body), status: 201, response: shape, example },
      },
      async handle(asked, reply) {
        const known = new Set(register.all().map(register.nameOf))
        const put = await register.put(asked.body, asked.subject.name, asked.address)
        return reply.code(known.has(register.nameOf(put)) ? 200 : 201).send(put)
      },
    },
    {
      method: 'DELETE',
      url: one,
      standard,
      needs,
      describes: { summary: `Takes ${article} ${entry} out of the register; its history stays.`, status: 204 },
      async handle(asked, reply) {
        await register.remove(pathParameter(asked, parameter), asked.subject.name, asked.address)
        return reply.code(204).send()
      },
    },
  ]
}
