import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryKind, entryNames, journalName } from './entry-names.ts'
import { BLOCK_BYTES, entryBytes, readTarHeader, tarHeader } from './tar.ts'

const DIGEST = '0123456789abcdef'.repeat(4)

// A size that does not fit eleven octal digits is where home-made writers break.
for (const size of [0, 1, 511, 512, 513, 8 * 1024 ** 3 - 1, 8 * 1024 ** 3, 10 * 1024 ** 4, Number.MAX_SAFE_INTEGER]) {
  test(`tar: an entry of ${size} bytes is read as it was written`, () => {
    const name = `objects/${'1'.repeat(64)}/${DIGEST}.dcm`
    assert.deepEqual(readTarHeader(tarHeader(name, size, 1_700_000_000)), { is: 'entry', name, size })
  })
}

test('tar: a header that was touched anywhere is not believed', () => {
  const whole = tarHeader(`objects/1.2.3/${DIGEST}.dcm`, 1234, 0)
  for (let at = 0; at < BLOCK_BYTES; at++) {
    const touched = Uint8Array.from(whole)
    touched[at] = (touched[at] ?? 0) ^ 0x11
    // Spaces and NULs around the checksum's digits are the same number.
    if (at >= 154 && at < 156) continue
    assert.equal(readTarHeader(touched).is, 'other', `byte ${at}`)
  }
  assert.equal(readTarHeader(whole.subarray(0, 511)).is, 'other')
  assert.equal(readTarHeader(new Uint8Array(BLOCK_BYTES)).is, 'zero')
})

for (const size of [-1, 0.5, Number.NaN, 2 ** 53]) {
  test(`tar: ${size} is not a size`, () => assert.throws(() => tarHeader('a', size, 0), RangeError))
}

test('tar: an entry takes whole blocks', () => {
  assert.deepEqual([0, 1, 512, 513].map(entryBytes), [512, 1024, 1024, 1536])
})

const uids: { uid: string; named: boolean }[] = [
  { uid: '1.2.840.113619.2.5', named: true },
  { uid: '9'.repeat(64), named: true },
  { uid: '1'.repeat(65), named: false },
  { uid: '1.2/../../etc', named: false },
  { uid: '..', named: false },
  { uid: '', named: false },
  { uid: '1.2.3\0', named: false },
]

for (const { uid, named } of uids) {
  test(`entry names: ${JSON.stringify(uid)} is ${named ? 'a part' : 'left out'}`, () => {
    const { object, record } = entryNames(uid, DIGEST, 1)
    assert.equal(object, named ? `objects/${uid}/${DIGEST}.dcm` : `objects/${DIGEST}.dcm`)
    tarHeader(object, 0, 0)
    const base = object.slice(0, -4)
    assert.deepEqual(
      [entryKind(object), entryKind(record)],
      [
        { is: 'object', base },
        { is: 'record', base },
      ],
    )
    const again = entryNames(uid, DIGEST, 2)
    assert.notEqual(again.object, object)
    assert.equal(entryKind(again.object).is, 'object')
  })
}

test('entry names: the journal orders by number, other names are nothing of ours', () => {
  assert.deepEqual(entryKind(journalName(12, 'quarantine.release')), {
    is: 'journal',
    sequence: 12,
    kind: 'quarantine.release',
  })
  assert.throws(() => journalName(1, 'Not/ours'), RangeError)
  assert.throws(() => entryNames('1.2', 'digest', 1), RangeError)
  for (const name of ['room', 'objects/x.dcm', `objects/${DIGEST}.exe`, 'journal/1-x.json']) {
    assert.deepEqual(entryKind(name), { is: 'other' })
  }
})
