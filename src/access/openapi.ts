import type { Route } from '#model/route.ts'
import { accessMatrix } from './access-matrix.ts'

/** Generated from the routes that are served, so that it cannot say anything else. contract.md. */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.url.replace(/:([A-Za-z0-9_]+)/g, '{$1}').replace(/\*$/, '{path}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operation(route, path)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Diptych',
      version,
      description: 'One archive for medical images and documents.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token made by `diptych token create`.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'diptych_session',
          description: 'Writes also need X-CSRF-Token.',
        },
      },
      schemas: { Problem: PROBLEM },
    },
    paths: Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'docs/reference/errors.md' },
    detail: { type: 'string' },
    hint: { type: 'string' },
  },
}

function operation(route: Route, path: string): object {
  const { describes, needs, body } = route
  const failure = (description: string) => ({
    description,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  })
  const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const inQuery = Object.entries(describes?.query ?? {}).map(([name, description]) => ({
    name,
    in: 'query',
    required: false,
    description,
    schema: { type: 'string' },
  }))
  const answers = describes?.response
  return {
    operationId: operationId(route),
    summary: describes?.summary ?? route.standard,
    description: `${route.standard}. Needs: ${needs}.`,
    tags: [path.split('/')[1] === 'api' ? (path.split('/')[3] ?? 'api') : (path.split('/')[1] ?? '')],
    security: needs === 'public' ? [] : [{ token: [] }, { session: [] }],
    parameters: [...inPath, ...inQuery],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body === 'stream' || describes?.request !== undefined,
            content:
              body === 'stream'
                ? { '*/*': {} }
                : { 'application/json': { schema: describes?.request?.() ?? { type: 'object' } } },
          },
        }),
    responses: {
      '200': {
        description: 'Success.',
        ...(answers === undefined ? {} : { content: { 'application/json': { schema: answers } } }),
      },
      ...(needs === 'public'
        ? {}
        : { '401': failure('No or no valid credentials.'), '403': failure('The right is missing.') }),
      default: failure('A failure, told by its code.'),
    },
    'x-diptych-needs': needs,
    'x-diptych-roles': accessMatrix([route])[0]?.roles ?? [],
  }
}

function operationId({ method, url }: Route): string {
  const words = url.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}

/**
 * `GET /api/v1/openapi.json`, describing itself too.
 * @param all asked when the document is, so that every route that was added is in it
 */
export function openApiRoute(all: () => readonly Route[], version: string): Route {
  let text: string | undefined
  return {
    method: 'GET',
    url: '/api/v1/openapi.json',
    standard: 'OpenAPI 3.1',
    needs: 'public',
    describes: { summary: 'This document.' },
    async handle(_asked, reply) {
      text ??= JSON.stringify(openApiDocument(all(), version))
      return reply.header('content-type', 'application/json').send(text)
    },
  }
}
