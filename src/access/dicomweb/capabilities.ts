import type { Route } from '#model/route.ts'
import { parseAccept, weightOf } from './accept.ts'

/** What the service root offers, made from the routes themselves. PS3.18 section 8.9. */
export function capabilitiesRoute(routes: readonly Pick<Route, 'method' | 'url' | 'standard'>[]): Route {
  const resources = new Map<string, { method: string; standard: string }[]>()
  for (const { method, url, standard } of routes) {
    if (!url.startsWith('/dicom-web/')) continue
    const path = url
      .slice('/dicom-web/'.length)
      .replace(/:([a-zA-Z]+)/g, '{$1}')
      .replace(/\*$/, '{path}')
    resources.set(path, [...(resources.get(path) ?? []), { method, standard }])
  }
  const sorted = [...resources].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    method: 'OPTIONS',
    url: '/dicom-web',
    standard: 'PS3.18 section 8.9, Retrieve Capabilities Transaction',
    needs: 'public',
    async handle(asked, reply) {
      const ranges = parseAccept(asked.headers.accept, asked.query.get('accept'))
      const wadl = ranges.length === 0 ? 1 : weightOf(ranges, 'application', 'vnd.sun.wadl+xml')
      const json = ranges.length === 0 ? 0 : weightOf(ranges, 'application', 'json')
      const base = `${asked.baseUrl}/dicom-web/`
      reply.header('cache-control', 'no-cache').header('vary', 'Accept')
      if (json > wadl) {
        const list = sorted.map(([path, methods]) => ({ path, methods }))
        return reply.type('application/json').send({ base, resources: list })
      }
      return reply.type('application/vnd.sun.wadl+xml').send(wadlOf(base, sorted))
    },
  }
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')
}

function wadlOf(
  base: string,
  resources: readonly (readonly [path: string, methods: readonly { method: string; standard: string }[]])[],
): string {
  const lines = resources.map(([path, methods]) => {
    const inner = methods.map(
      ({ method, standard }) => `<method name="${method}"><doc title="${escaped(standard)}"/></method>`,
    )
    return `<resource path="${escaped(path)}">${inner.join('')}</resource>`
  })
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<application xmlns="http://wadl.dev.java.net/2009/02">' +
    `<resources base="${escaped(base)}">\n${lines.join('\n')}\n</resources></application>\n`
  )
}
