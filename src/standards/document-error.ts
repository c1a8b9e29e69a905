/**
 * Why a document could not be read: `doctype` a document type or entity declaration, `encoding` one that is not read
 * here, `malformed` it breaks its own grammar, `limit` longer, deeper or more numerous than is read, `encrypted` it
 * needs a password, `time` and `memory` the reader was stopped, `unsupported` nothing here reads it.
 */
export type DocumentFault =
  | 'doctype'
  | 'encoding'
  | 'malformed'
  | 'limit'
  | 'encrypted'
  | 'time'
  | 'memory'
  | 'unsupported'

/** A document that cannot be read, by the fault of its bytes. The detail holds no text of the document. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError'
  readonly fault: DocumentFault

  constructor(fault: DocumentFault, detail: string, options?: { cause?: unknown }) {
    super(detail, options)
    this.fault = fault
  }
}
