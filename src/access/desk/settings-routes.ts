import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Route } from '#model/route.ts'
import { bodyAsked, LIST_SCHEMA, listAnswer, pageAsked, pathParameter } from './ask.ts'
import type { DeskServices } from './services.ts'

const changes = z.record(z.string().min(1).max(100), z.unknown())

/** Site settings and the register of originators. */
export function settingsRoutes({ settings, pageMax }: DeskServices): readonly Route[] {
  const standard = 'Diptych pages'
  return [
    {
      method: 'GET',
      url: '/api/v1/settings',
      standard,
      needs: 'settings.read',
      describes: { summary: 'Every setting with its value, its default, and what it does.', response: LIST_SCHEMA },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = settings.all()
        return { ...listAnswer(items, null, items.length), version: settings.version() }
      },
    },
    {
      method: 'POST',
      url: '/api/v1/settings',
      standard,
      needs: 'settings.write',
      body: 'json',
      describes: { summary: 'Sets values by key; null sets one back to its default. All or nothing.' },
      async handle(asked) {
        const given = bodyAsked(asked, changes)
        if (Object.keys(given).length === 0) throw new ArchiveError('request.malformed', 'body: nothing to set')
        await settings.change(given, asked.subject.name, asked.address)
        return { items: settings.all().filter(({ key }) => key in given), version: settings.version() }
      },
    },
    {
      method: 'GET',
      url: '/api/v1/settings/:key/history',
      standard,
      needs: 'settings.read',
      describes: { summary: 'Every value a setting has had, newest first.', response: LIST_SCHEMA },
      async handle(asked) {
        const key = pathParameter(asked, 'key')
        if (!settings.all().some((setting) => setting.key === key))
          throw new ArchiveError('request.not-found', 'setting')
        return listAnswer(settings.history(key), null)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/settings/export',
      standard,
      needs: 'settings.read',
      describes: { summary: 'Settings and originators as one file.' },
      handle: async (_asked, reply) =>
        reply.header('content-disposition', 'attachment; filename="diptych-settings.json"').send(settings.export()),
    },
    {
      method: 'POST',
      url: '/api/v1/settings/import',
      standard,
      needs: 'settings.write',
      body: 'json',
      describes: { summary: 'Takes such a file: all of it, or nothing.' },
      handle: async (asked) => settings.import(asked.body, asked.subject.name, asked.address),
    },
    {
      method: 'GET',
      url: '/api/v1/originators',
      standard,
      needs: 'settings.read',
      describes: { summary: 'Who may send what by which door.', response: LIST_SCHEMA },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = settings.originators()
        return listAnswer(items, null, items.length)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/originators/:name',
      standard,
      needs: 'settings.read',
      describes: { summary: 'One originator.' },
      async handle(asked) {
        const originator = settings.originator(pathParameter(asked, 'name'))
        if (originator === undefined) throw new ArchiveError('request.not-found', 'originator')
        return originator
      },
    },
    {
      method: 'POST',
      url: '/api/v1/originators',
      standard,
      needs: 'originator.write',
      body: 'json',
      describes: { summary: 'Adds an originator, or replaces the one of that name.' },
      async handle(asked, reply) {
        const known = new Set(settings.originators().map(({ name }) => name))
        const originator = await settings.putOriginator(asked.body, asked.subject.name, asked.address)
        return reply.code(known.has(originator.name) ? 200 : 201).send(originator)
      },
    },
    {
      method: 'DELETE',
      url: '/api/v1/originators/:name',
      standard,
      needs: 'originator.write',
      describes: { summary: 'Takes an originator out of the register; its history stays.' },
      async handle(asked, reply) {
        await settings.removeOriginator(pathParameter(asked, 'name'), asked.subject.name, asked.address)
        return reply.code(204).send()
      },
    },
  ]
}
