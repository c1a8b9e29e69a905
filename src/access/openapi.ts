import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import { visibilityOf } from '#security/decide.ts'
import { accessMatrix } from './access-matrix.ts'

/** Generated from the routes that are served, so that it cannot say anything else. contract.md. */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = pathOf(route.url)
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

/** A path as OpenAPI writes it. */
function pathOf(url: string): string {
  return url.replace(/:([A-Za-z0-9_]+)/g, '{$1}').replace(/\*$/, '{path}')
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
                : {
                    'application/json': {
                      schema: describes?.request?.() ?? { type: 'object' },
                      ...(describes?.example === undefined ? {} : { example: describes.example }),
                    },
                  },
          },
        }),
    responses: {
      [String(describes?.status ?? 200)]: {
        description: describes?.answers ?? 'Success.',
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

/** `GET /api/v1`: what the caller may do here, and where more is said. */
export function apiIndexRoute(all: () => readonly Route[], version: string): Route {
  return {
    method: 'GET',
    url: API,
    standard: 'Diptych pages',
    needs: 'signed-in',
    describes: {
      summary: 'What the caller may do under this path.',
      response: listOf(shape<Offer>('method', 'path', 'summary'), { version: {}, openapi: {} }),
    },
    async handle({ subject }) {
      const items = all()
        .filter(({ url, needs }) => {
          if (url !== API && !url.startsWith(`${API}/`)) return false
          return needs === 'public' || needs === 'signed-in' || visibilityOf(subject, needs) !== 'forbidden'
        })
        .map(({ method, url, standard, describes }): Offer => {
          return { method, path: pathOf(url), summary: describes?.summary ?? standard }
        })
      return { version, openapi: `${API}/openapi.json`, items, total: items.length, next: null }
    },
  }
}

/** One line of the index. */
interface Offer {
  readonly method: string
  readonly path: string
  readonly summary: string
}

const API = '/api/v1'

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
