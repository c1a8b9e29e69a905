/** Protocol data units other than the two long ones: types, headers, the short PDUs. PS3.8 section 9.3. */

export const PDU = {
  associateRequest: 1,
  associateAccept: 2,
  associateReject: 3,
  data: 4,
  releaseRequest: 5,
  releaseResponse: 6,
  abort: 7,
} as const

/** Bytes of PDU type, reserved byte and PDU length. */
export const PDU_HEADER_BYTES = 6
/** Bytes of a presentation data value item before its fragment: length, context id, message control header. */
export const PDV_HEADER_BYTES = 6
/** Message control header. PS3.8 annex E.2; the other bits are never checked. */
export const CONTROL_COMMAND = 0x01
export const CONTROL_LAST = 0x02
/** The shortest maximum length a peer may ask for; below it, headers would outweigh what they carry. */
export const PEER_PDU_LENGTH_MIN = 128

function short(type: number, third: number, second: number, last: number): Buffer {
  return Buffer.from([type, 0, 0, 0, 0, 4, 0, third, second, last])
}

export const RELEASE_REQUEST: Uint8Array = short(PDU.releaseRequest, 0, 0, 0)
export const RELEASE_RESPONSE: Uint8Array = short(PDU.releaseResponse, 0, 0, 0)

/** An A-ASSOCIATE-RJ. PS3.8 section 9.3.4. */
export function encodeReject(result: number, source: number, reason: number): Uint8Array {
  return short(PDU.associateReject, result, source, reason)
}

/** An A-ABORT. PS3.8 section 9.3.8. */
export function encodeAbort(source: number, reason: number): Uint8Array {
  return short(PDU.abort, 0, source, reason)
}

/** Headers of a P-DATA-TF that holds one fragment of `length` bytes. PS3.8 section 9.3.5. */
export function dataHeader(contextId: number, control: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(PDU_HEADER_BYTES + PDV_HEADER_BYTES)
  header[0] = PDU.data
  header[1] = 0
  header.writeUInt32BE(length + PDV_HEADER_BYTES, 2)
  header.writeUInt32BE(length + 2, 6)
  header[10] = contextId
  header[11] = control
  return header
}
