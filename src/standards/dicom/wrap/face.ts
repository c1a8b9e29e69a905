import { EXPLICIT_LE } from '../encoding.ts'
import { type Piece, piecesLength } from '../pieces.ts'
import { buildHead, encodeDataSet } from '../write.ts'
import { type Attributes, writable } from './attributes.ts'
import { derivedUid } from './derived-uid.ts'
import { type FaceIdentity, identityAttributes } from './identity.ts'

/** The DICOM face of an original: a Part 10 file that is not copied together until somebody reads it. */
export interface DicomFace {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  readonly seriesInstanceUid: string
  readonly transferSyntaxUid: string
  /** Head, the bytes of the original as a reference to its source, padding: see pieceChunks of pieces.ts. */
  readonly pieces: readonly Piece[]
  /** Of the whole file, in bytes. */
  readonly lengthBytes: number
}

/** What a kind of object adds to the identity. */
export interface FaceParts {
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  /** Modality where the identity names none. */
  readonly modality: string
  /** Names the UIDs beside study and digest: one original may have several faces. */
  readonly face: string
  readonly attributes: (uids: { readonly instance: string; readonly series: string }) => Attributes
}

/** Longest value an element or a fragment can have: even, and below the mark of undefined length. PS3.5 section 7.1. */
export const VALUE_BYTES_MAX = 0xfffffffe

/**
 * Puts a face together, in an explicit VR little endian transfer syntax.
 * @throws ConversionError `conversion.value` for what DICOM cannot hold
 */
export function makeFace(identity: FaceIdentity, parts: FaceParts): DicomFace {
  const { sopClassUid, transferSyntaxUid, face } = parts
  const uid = (purpose: 'series' | 'instance') => derivedUid(identity.study.uid, identity.sha256, face, purpose)
  const series = identity.series.uid ?? uid('series')
  const instance = identity.sopInstanceUid ?? uid('instance')
  const dataSet = writable({
    ...identityAttributes(identity, series, parts.modality),
    SOPClassUID: sopClassUid,
    SOPInstanceUID: instance,
    ...parts.attributes({ instance, series }),
  })
  const head = buildHead({ sopClassUID: sopClassUid, sopInstanceUID: instance, transferSyntaxUID: transferSyntaxUid })
  const pieces = [head, ...encodeDataSet(dataSet, EXPLICIT_LE)]
  return {
    sopClassUid,
    sopInstanceUid: instance,
    seriesInstanceUid: series,
    transferSyntaxUid,
    pieces,
    lengthBytes: piecesLength(pieces),
  }
}
