import { createHash, hash } from 'node:crypto'
import type { Provenance } from '#model/arrival.ts'
import type { SubmittedDocument, SubmittedList } from '#model/document-desk.ts'

/** OID of a digest: 2.25 and its first 16 bytes as one number. ITU-T X.667 */
function oidOf(text: string): string {
  return `urn:oid:2.25.${BigInt(`0x${hash('sha256', text, 'hex').slice(0, 32)}`)}`
}

/**
 * The submission set of documents that came without one: IHE ITI-105 and ITI-106 ask for it, and so it can be said of every
 * document who sent it, when and with what. Its id follows from the documents, so that a request sent twice makes one set.
 *
 * @returns null without documents, and when they belong to several patients: a set has one
 */
export function derivedSet(
  documents: readonly SubmittedDocument[],
  { user, peer, time }: Provenance,
): SubmittedList | null {
  const [first] = documents
  if (first === undefined) return null
  const owners = documents.map(({ statement: { owner } }) => JSON.stringify(owner ?? null))
  if (new Set(owners).size > 1) return null
  const { owner, metadata } = first.statement
  const ids = documents.map(identityOf)
  const { typeCode, classCode, authors } = metadata
  const code = documents.length === 1 ? (classCode ?? typeCode) : null
  return {
    label: 'derived-submission-set',
    kind: 'submission-set',
    uniqueId: oidOf(`diptych submission set\n${owners[0]}\n${ids.join('\n')}`),
    sourceId: oidOf(`diptych source\n${user ?? peer ?? ''}`),
    title: documents.length === 1 ? (metadata.title ?? null) : null,
    comments: null,
    status: 'current',
    codes: code == null ? [] : [code],
    authors: authors ?? [],
    intendedRecipients: [],
    time,
    extra: {},
    owner: owner ?? null,
    items: documents.map(({ label }) => label),
  }
}

function identityOf({ statement, arrival: { bytes } }: SubmittedDocument): string {
  const digest = bytes.in === 'memory' ? createHash('sha256').update(bytes.bytes).digest('hex') : bytes.sha256
  return `${statement.uniqueId ?? ''} ${digest}`
}
