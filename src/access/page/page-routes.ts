import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import type { Route } from '#model/route.ts'

const MEDIA_TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

interface Asset {
  readonly mediaType: string
  readonly bytes: Buffer
  /** Packed with the first request that takes it: a tenth of a second for all of them is too long for a start. */
  readonly packed: () => Buffer
  readonly etag: string
}

/**
 * The page at `/` and what it is made of. Files are read once, at start; names from a request are only looked up
 * among them.
 */
export function pageRoutes(): readonly Route[] {
  const assets = new Map(readAssets())
  const page = asset('/', 'index.html', assets)
  const others = [...assets.keys()].filter((name) => name !== 'index.html')
  return [page, ...others.map((name) => asset(`/page/${name}`, name, assets))]
}

function* readAssets(): Generator<[string, Asset]> {
  const folder = new URL('./assets/', import.meta.url)
  for (const name of readdirSync(folder)) {
    const mediaType = MEDIA_TYPES[extname(name)]
    if (mediaType === undefined) continue
    const bytes = readFileSync(new URL(name, folder))
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
    let packed: Buffer | undefined
    yield [name, { mediaType, bytes, packed: () => (packed ??= brotliCompressSync(bytes)), etag }]
  }
}

function asset(url: string, name: string, assets: ReadonlyMap<string, Asset>): Route {
  const found = assets.get(name)
  if (found === undefined) throw new TypeError(`the page lacks ${name}`)
  const { mediaType, bytes, packed, etag } = found
  return {
    method: 'GET',
    url,
    standard: 'Diptych pages',
    needs: 'public',
    async handle({ headers }, reply) {
      reply.header('etag', etag).header('cache-control', 'no-cache').header('vary', 'Accept-Encoding')
      if (headers['if-none-match'] === etag) return reply.code(304).send()
      const packs = /\bbr\b/.test(String(headers['accept-encoding'] ?? ''))
      if (packs) reply.header('content-encoding', 'br')
      return reply.type(mediaType).send(packs ? packed() : bytes)
    },
  }
}
