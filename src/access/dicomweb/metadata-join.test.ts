import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, crc32, deflateRawSync, gunzipSync } from 'node:zlib'
import type { MetadataChunk } from '#model/archive-object.ts'
import { combineCrc32, joinAsGzip, joinedLength } from './metadata-join.ts'

export function chunkOf(json: string): MetadataChunk {
  const raw = Buffer.from(json)
  return {
    crc32: crc32(raw),
    rawLength: raw.byteLength,
    deflated: deflateRawSync(raw, { level: 1, finishFlush: constants.Z_SYNC_FLUSH }),
  }
}

// One wrong bit in the combined checksum and every client refuses the whole answer.
for (const count of [0, 1, 2, 3, 500]) {
  test(`${count} chunks make one gzip member that inflates to their array`, () => {
    const texts = Array.from(
      { length: count },
      (_, i) => `{"00080018":{"vr":"UI","Value":["1.2.${i ** 5}"]},"ü":${'9'.repeat(i)}}`,
    )
    const chunks = texts.map(chunkOf)
    const expected = `[${texts.join(',')}]`
    const joined = Buffer.concat(joinAsGzip(chunks))
    assert.equal(gunzipSync(joined).toString(), expected)
    assert.equal(joinedLength(chunks), Buffer.byteLength(expected))
    // One member: the second would begin with another header.
    assert.equal(joined.indexOf(Buffer.from([0x1f, 0x8b, 8])), 0)
    assert.equal(joined.lastIndexOf(Buffer.from([0x1f, 0x8b, 8])), 0)
  })
}

test('checksums combine for every split, and for lengths beyond 32 bits', () => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7919) & 255))
  for (let cut = 0; cut <= bytes.length; cut++) {
    const second = bytes.subarray(cut)
    assert.equal(combineCrc32(crc32(bytes.subarray(0, cut)), crc32(second), second.length), crc32(bytes))
  }
  // x^(8 * 2^33) is reached by squaring: the same as four steps of 2^31.
  let stepped = 0x12345678
  for (let i = 0; i < 4; i++) stepped = combineCrc32(stepped, 0, 2 ** 31)
  assert.equal(combineCrc32(0x12345678, 0, 2 ** 33), stepped)
})
