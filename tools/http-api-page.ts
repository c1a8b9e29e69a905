/** docs/reference/http-api.md, made from the OpenAPI document of a server that is started for it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openArchive } from '../src/app.ts'
import { serve } from '../src/app-server.ts'
import { loadConfig } from '../src/config.ts'

interface Schema {
  readonly type?: string
  readonly required?: readonly string[]
  readonly properties?: { readonly [name: string]: Schema }
  readonly items?: Schema
}

interface Operation {
  readonly summary: string
  readonly tags: readonly [string]
  readonly parameters: readonly { name: string; in: 'path' | 'query'; description?: string }[]
  readonly requestBody?: { content: { [type: string]: { schema?: Schema; example?: unknown } } }
  readonly responses: { [status: string]: { description: string; content?: { [type: string]: { schema: Schema } } } }
  readonly 'x-diptych-needs': string
}

export interface OpenApi {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } }
}

/** What a server answers at `/api/v1/openapi.json`. */
export async function openApiServed(): Promise<OpenApi> {
  const folder = mkdtempSync(join(tmpdir(), 'diptych-reference-'))
  try {
    const config = loadConfig({ environment: {}, given: { http: { port: 0 } } })
    const archive = await openArchive({ dataDirectory: folder, config })
    try {
      const served = await serve(archive, { open: true, log: { error: () => undefined } })
      try {
        return (await served.http.app.inject({ url: '/api/v1/openapi.json' })).json()
      } finally {
        await served.close(100)
      }
    } finally {
      await archive.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const HEAD = `# HTTP API

What our own pages use, and what scripts may use: everything under \`/api/v1\`. Beside it: [DICOMweb](dicomweb.md) under
\`/dicom-web\` and FHIR R4 under \`/fhir\`. \`GET /api/v1\` lists what the caller may do; \`GET /api/v1/openapi.json\` says the
same as this page as OpenAPI 3.1, and both are made from the routes that are served.

    URL=http://127.0.0.1:8080
    TOKEN=$(npx diptych token create --role archivist --name "my script")
    curl -s -H "Authorization: Bearer $TOKEN" $URL/api/v1/quarantine?state=held

* **Who asks**: \`Authorization: Bearer TOKEN\`, or the session cookie of a browser, with \`X-CSRF-Token\` (from \`GET /session\`)
  on everything but GET. No or a bad token is 401, a missing right 403; what the caller may not see is 404, the same as what is not
  there. [Which role has which right](rights.md).
* **Lists** answer \`{"items": [], "total", "next"}\`: \`limit\` (50 by default), and \`cursor\` with the \`next\` of the page before;
  \`next\` is null on the last page, \`total\` where counting would cost a walk. An unknown parameter or body member is 400, named.
* **Errors** are \`application/problem+json\` with \`code\`, \`detail\` and often \`hint\`: [all codes](errors.md).
* **Decisions** ask for a \`reason\`, and are audited under the name of the account or token.

Made from the routes by \`node tools/reference.ts\`.
`

/** Groups in the order a reader meets them; others follow by name. */
const ORDER = [
  ...['arrivals', 'uploads', 'quarantine', 'objects', 'studies', 'patients', 'ledger', 'import-worklist', 'worklist'],
  ...['messages', 'documents', 'document-worklist', 'document-lists', 'document-values', 'text-search', 'placement'],
]

export async function httpApiPage(): Promise<string> {
  const { paths } = await openApiServed()
  const rows = Object.entries(paths)
    .filter(([path]) => path === '/api/v1' || path.startsWith('/api/v1/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    )
  const groups = Map.groupBy(rows, ({ operation }) => operation.tags[0])
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length)
  const names = [...groups.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  const parts = names.map((name) => `## ${name}\n\n${(groups.get(name) ?? []).map(told).join('\n\n')}`)
  return `${HEAD}\n${parts.join('\n\n')}\n`
}

function told({ method, path, operation }: { method: string; path: string; operation: Operation }): string {
  const { summary, parameters, requestBody, responses } = operation
  const lines = [`### \`${method} ${path}\``, '', `${summary} Needs: ${needsOf(operation)}.`, '']
  const query = parameters.filter((parameter) => parameter.in === 'query')
  if (query.length > 0) {
    const named = query.map(({ name, description = '' }) => {
      const what = description.replace(/\.$/, '')
      return `\`${name}\`${what === '' ? '' : ` (${what})`}`
    })
    lines.push(`* query: ${named.join(', ')}`)
  }
  for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
    lines.push(`* body: ${type === '*/*' ? 'the bytes' : bodyOf(schema)}`)
  }
  for (const [status, { description, content }] of Object.entries(responses)) {
    if (!status.startsWith('2')) continue
    const words = description === 'Success.' ? [] : [description]
    const shapes = Object.values(content ?? {}).map(({ schema }) => `\`${membersOf(schema)}\``)
    lines.push(`* answers ${status}${[...words, ...shapes].map((text) => `: ${text}`).join('')}`)
  }
  const example = requestBody?.content['application/json']?.example
  if (example !== undefined) {
    lines.push('', `    curl -s -X ${method} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\`)
    lines.push(`      -d '${JSON.stringify(example)}' "$URL${path}"`)
  }
  return lines.join('\n')
}

function needsOf(operation: Operation): string {
  const needs = operation['x-diptych-needs']
  if (needs === 'public') return 'nothing'
  return needs === 'signed-in' ? 'any valid token or session' : `\`${needs}\``
}

/** Members of a body, those that are needed first. */
function bodyOf(schema: Schema | undefined): string {
  const names = Object.keys(schema?.properties ?? {})
  if (names.length === 0)
    return schema?.type === 'array' ? 'a JSON array' : 'a JSON object, see below; `{}` where nothing is needed'
  const required = new Set(schema?.required ?? [])
  const needed = names.filter((name) => required.has(name)).map((name) => `\`${name}\``)
  const others = names.filter((name) => !required.has(name)).map((name) => `\`${name}\``)
  if (needed.length === 0) return `${others.join(', ')} (each may be left out)`
  return others.length === 0 ? needed.join(', ') : `${needed.join(', ')}; may be left out: ${others.join(', ')}`
}

/** `{items: [{id, state}], total, next}`; `?` behind what may be missing. */
function membersOf({ properties = {}, required = [] }: Schema): string {
  const members = Object.entries(properties).map(([name, { type, items }]) => {
    const inner = type === 'array' && items?.properties !== undefined ? `: [${membersOf(items)}]` : ''
    return `${name}${required.includes(name) ? '' : '?'}${inner}`
  })
  return `{${members.join(', ')}}`
}
