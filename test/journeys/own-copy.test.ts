import assert from 'node:assert/strict'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ImportItem } from '#model/identity.ts'
import {
  archive,
  disc,
  filesBelow,
  hl7,
  importDisc,
  imported,
  instances,
  item,
  order,
  pid,
  place,
  post,
  settled,
  start,
  stop,
} from '../support/reconcile-site.ts'

// What we gave out comes back: on a disc, from a folder, from another archive that kept our bytes. It is what is kept here,
// however much was coerced on the way out; and only that is, so nobody gets a changed copy past the conflict.

before(start)
after(async () => {
  await stop()
  place.remove()
})

const counts = async (folder: string) => {
  const { stored, duplicates, quarantined } = await imported(folder)
  return { stored, duplicates, quarantined }
}
const told = { onItem: () => {}, signal: new AbortController().signal }

test('our own export of a coerced study is known again in every form, until it would leave otherwise', async () => {
  await hl7('ADT^A04^ADT_A01', ['EVN|A04|20261124080000', pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O'])
  await hl7('ORM^O01^ORM_O01', [pid('4711', 'Mueller^Anna', '19710412', 'F'), 'PV1|1|O', ...order('ACC-1')])
  const { folder, study } = disc('own')
  await importDisc(folder)
  await settled()
  const open = await item(study, 'open')
  const decided = await post<ImportItem>(`/api/v1/import-worklist/${open.id}/decide`, {
    action: 'assign',
    candidate: 0,
    reason: 'Her disc.',
  })
  assert.equal(decided.status, 200, JSON.stringify(decided.json))

  const forms = ['folder', 'media', 'retrieved'].map((form) => join(place.path, `own-${form}`))
  const [plain = '', media = '', retrieved = ''] = forms
  await archive.maintenance.exportFolder(plain, { studies: [study] }, told)
  await archive.maintenance.exportMedia(media, { studies: [study], form: 'folder', site: 'Test' }, told)
  cpSync(plain, retrieved, { recursive: true })
  for (const path of filesBelow(retrieved)) writeFileSync(path, Buffer.of())
  let n = 0
  for (const bytes of (await instances(study)).values()) writeFileSync(join(retrieved, `W${n++}`), bytes)
  for (const form of forms) {
    assert.deepEqual(await counts(form), { stored: 0, duplicates: 2, quarantined: 0 }, form)
  }
  // The disc as it came, uncoerced, is known as well: these are the bytes that are kept.
  assert.deepEqual(await counts(folder), { stored: 0, duplicates: 2, quarantined: 0 })

  // One byte of a pixel changed: no copy of ours.
  const forged = join(place.path, 'own-forged')
  cpSync(plain, forged, { recursive: true })
  for (const path of filesBelow(forged).filter((each) => each.endsWith('.dcm'))) {
    const bytes = readFileSync(path)
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1
    writeFileSync(path, bytes)
  }
  assert.deepEqual(await counts(forged), { stored: 0, duplicates: 0, quarantined: 2 })

  // Undone since: such copies say what is not true any more, and a person looks at them.
  const undone = await post<ImportItem>(`/api/v1/import-worklist/${open.id}/undo`, { reason: 'A namesake.' })
  assert.equal(undone.status, 200, JSON.stringify(undone.json))
  await settled()
  assert.deepEqual(await counts(plain), { stored: 0, duplicates: 0, quarantined: 2 })
  assert.deepEqual(await counts(folder), { stored: 0, duplicates: 2, quarantined: 0 })
})
