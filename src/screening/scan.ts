import { hash } from 'node:crypto'
import type { ScanReport } from '#model/finding.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { Scanner, ScanPiece } from './scanner/scanner.ts'
import type { Draft } from './screened.ts'

/** Digests known to be clean under one version of the signatures. */
export interface CleanDigests {
  has(sha256: string, signatures: string): boolean
  add(sha256: string, signatures: string): void
}

/** Remembers the last digests in memory; a new signature version forgets all. */
export function rememberClean(max = 200_000): CleanDigests {
  let version = ''
  let digests = new Set<string>()
  return {
    has: (sha256, signatures) => signatures === version && digests.has(sha256),
    add(sha256, signatures) {
      if (signatures !== version) {
        version = signatures
        digests = new Set()
      }
      if (digests.size >= max) {
        const [oldest] = digests
        if (oldest !== undefined) digests.delete(oldest)
      }
      digests.add(sha256)
    },
  }
}

export const NOT_SCANNED: ScanReport = { status: 'not-scanned', engine: null, signatures: null, coverage: null }

const CHUNK_BYTES = 1024 * 1024
/** ClamAV cannot scan a single file above this. threats.md G8. */
const PIECE_BYTES_MAX = 2 * 1024 ** 3 - 1
/** Pieces above this are not worth a digest of their own: the file's decides. */
const DIGEST_BYTES_MAX = 4 * 1024 * 1024
const PIECES_MAX = 4096
const PARALLEL = 4

/** A piece that is a range of a source. */
export function rangePiece(
  label: string,
  tag: string | null,
  source: ByteSource,
  start: number,
  end: number,
  offset: number | null,
): ScanPiece {
  return {
    label,
    tag,
    offset,
    size: Math.max(0, end - start),
    *chunks() {
      for (let at = start; at < end; at += CHUNK_BYTES) yield source.read(at, Math.min(end, at + CHUNK_BYTES))
    },
  }
}

export function bytesPiece(label: string, bytes: Uint8Array): ScanPiece {
  return {
    label,
    tag: null,
    offset: null,
    size: bytes.byteLength,
    *chunks() {
      for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES)
    },
  }
}

/**
 * Scans the whole file, then each piece taken out of it. Stops at the first hit.
 *
 * @param sha256 of the whole file: when it is known clean, all its pieces are
 */
export async function scanArrival(
  scanner: Scanner,
  clean: CleanDigests | null,
  sha256: string,
  pieces: readonly ScanPiece[],
): Promise<{ report: ScanReport; drafts: readonly Draft[] }> {
  const identity = await scanner.identity()
  if (identity === null) return pending('the virus scanner cannot be reached', null, null)
  const { engine, signatures } = identity
  if (clean?.has(sha256, signatures) === true) {
    return {
      report: { status: 'clean', engine, signatures, coverage: 'known clean under these signatures' },
      drafts: [],
    }
  }
  const tally = { pieces: 0, bytes: 0, known: 0 }
  const left: string[] = []
  const waiting = pieces.slice(0, PIECES_MAX)
  if (pieces.length > PIECES_MAX) left.push(`${pieces.length - PIECES_MAX} pieces beyond the first ${PIECES_MAX}`)
  const drafts: Draft[] = []
  let failed: string | null = null

  const one = async (piece: ScanPiece): Promise<void> => {
    if (piece.size > PIECE_BYTES_MAX) {
      left.push(`${piece.label}: ${piece.size} bytes, more than the scanner takes`)
      return
    }
    const digest = clean !== null && piece.size <= DIGEST_BYTES_MAX && piece.label !== 'file' ? digestOf(piece) : null
    if (digest !== null && clean?.has(digest, signatures) === true) {
      tally.known++
      return
    }
    const verdict = await scanner.scan(piece)
    tally.pieces++
    tally.bytes += piece.size
    if (verdict.is === 'clean') {
      if (digest !== null) clean?.add(digest, signatures)
    } else if (verdict.is === 'infected') {
      const where = piece.label === 'file' ? 'the file' : piece.label
      drafts.push({
        rule: 'B11',
        severity: 'quarantine',
        detail: `${verdict.signature} found in ${where}`,
        offset: piece.offset,
        tag: piece.tag,
      })
    } else if (verdict.is === 'limit') left.push(`${piece.label}: ${verdict.detail}`)
    else failed ??= verdict.detail
  }

  const [whole, ...rest] = waiting
  if (whole !== undefined) await one(whole)
  const queue = rest.values()
  const lane = async () => {
    for (const piece of queue) {
      if (drafts.length > 0 || failed !== null) return
      await one(piece)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, lane))

  const scanned = `${tally.pieces} pieces, ${tally.bytes} bytes${tally.known > 0 ? `, ${tally.known} known clean` : ''}`
  const coverage = left.length === 0 ? scanned : `${scanned}; not scanned: ${left.slice(0, 10).join('; ')}`
  if (drafts.length > 0) return { report: { status: 'infected', engine, signatures, coverage }, drafts }
  if (failed !== null) return pending(failed, engine, signatures)
  if (left.length > 0) {
    const detail = `not scanned: ${left.slice(0, 3).join('; ')}`
    return {
      report: { status: 'partly', engine, signatures, coverage },
      drafts: [{ rule: 'scan-partly', severity: 'info', detail, offset: null, tag: null }],
    }
  }
  clean?.add(sha256, signatures)
  return { report: { status: 'clean', engine, signatures, coverage }, drafts: [] }
}

function digestOf(piece: ScanPiece): string {
  const parts: Buffer[] = []
  for (const chunk of piece.chunks()) parts.push(Buffer.from(chunk))
  return hash('sha256', Buffer.concat(parts))
}

function pending(
  detail: string,
  engine: string | null,
  signatures: string | null,
): { report: ScanReport; drafts: readonly Draft[] } {
  return {
    report: { status: 'pending', engine, signatures, coverage: null },
    drafts: [{ rule: 'scan-pending', severity: 'quarantine', detail, offset: null, tag: null }],
  }
}
