import { ArchiveError } from '#errors.ts'
import type { Asked } from '#model/route.ts'

/**
 * The bytes of a body that is taken whole.
 * @throws ArchiveError 'request.too-large', 'request.media-type'
 */
export async function readBody({ raw }: Pick<Asked<unknown>, 'raw'>, bytesMax: number): Promise<Buffer> {
  const coding = raw.headers['content-encoding']
  if (coding !== undefined && coding !== 'identity') {
    throw new ArchiveError('request.media-type', 'a compressed body is not taken here')
  }
  const tooLarge = () => new ArchiveError('request.too-large', `a body here has at most ${bytesMax} bytes`)
  if (Number(raw.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  // `destroyOnReturn: false`: the answer must still be able to leave on this connection.
  for await (const chunk of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Parameters of a search by POST. */
export async function readForm(
  asked: Pick<Asked<unknown>, 'raw' | 'headers'>,
  bytesMax: number,
): Promise<URLSearchParams> {
  const body = await readBody(asked, bytesMax)
  const type = (asked.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
  if (body.byteLength > 0 && type !== 'application/x-www-form-urlencoded') {
    throw new ArchiveError('request.media-type', 'a search by POST is application/x-www-form-urlencoded')
  }
  return new URLSearchParams(body.toString('utf8'))
}
