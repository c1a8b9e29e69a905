import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fastify from 'fastify'
import { searchRoutes } from '#access/dicomweb/search.ts'
import { ArchiveError, failures } from '#errors.ts'
import { openDatabase } from '#index/sqlite/database.ts'
import { migrate } from '#index/sqlite/migrate.ts'
import { createSqliteReader } from '#index/sqlite/reader.ts'
import { createSqliteWriter } from '#index/sqlite/writer.ts'
import type { Asked } from '#model/route.ts'
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import { groupOf, type Sketch } from './archive-index-fixtures.ts'

const SR = '1.2.840.10008.5.1.4.1.1.88.11'

/** Five studies, each with something another one lacks. Newest first: e, d, c, b, a. */
const SKETCHES: readonly Sketch[] = [
  {
    uid: '1.1.1',
    study: '1.1',
    patient: 'P100',
    attributes: {
      '00100010': ['Müller^Jörg'],
      '00080020': ['20250101'],
      '00080030': ['101259'],
      '00080050': ['A_1'],
      '00081030': ['Head [native]'],
      '00080090': ['House^Gregory'],
      '00200013': ['1'],
      '00280010': ['512'],
      '00100030': ['19700101'],
      '00400275.00400009': ['STEP1'],
      '00400275.00401001': ['PROC1'],
    },
    json: {
      '00091001': { vr: 'LO', Value: ['private'] },
      '00090010': { vr: 'LO', Value: ['ACME'] },
      '00185100': { vr: 'CS', Value: ['HFS'] },
    },
  },
  {
    uid: '1.2.1',
    study: '1.2',
    patient: 'P101',
    attributes: {
      '00100010': ['MULLER^ANNA'],
      '00080020': ['20250202'],
      '00080050': ['AX1'],
      '00081030': ['Thorax%'],
      '00080060': ['MR'],
    },
  },
  {
    uid: '1.3.1',
    study: '1.3',
    patient: 'P200',
    attributes: { '00100010': ['Yamada^Tarou=山田^太郎=やまだ^たろう'], '00080020': ['20250303'], '00080060': ['ZZ'] },
  },
  {
    uid: '1.4.1',
    study: '1.4',
    patient: 'P300',
    attributes: { '00100010': ['de la Cruz^Ana María'], '00080020': ['20250404'] },
  },
  {
    uid: '1.4.2',
    study: '1.4',
    series: '1.4.9',
    patient: 'P300',
    sopClass: SR,
    attributes: { '00080060': ['SR'], '0008103E': ['Report'], '00200011': ['9'], '00180015': ['BRAIN'] },
  },
  { uid: '1.5.1', study: '1.5', patient: 'P400', attributes: { '00080020': ['20250505'], '00080030': ['1100'] } },
]

const db = openDatabase(':memory:')
migrate(db)
createSqliteWriter(db).commit(groupOf(...SKETCHES))
const reader = createSqliteReader(db)
const app = fastify()
let visibility: Visibility = EVERYTHING
const audited: string[] = []

for (const route of searchRoutes(reader)) {
  app.route({
    method: route.method,
    url: route.url,
    handler(request, reply) {
      const asked = {
        params: request.params,
        query: new URL(request.url, 'http://x').searchParams,
        headers: request.headers,
        raw: request.raw,
        visibility,
        baseUrl: 'https://pacs.example',
        audit: async (kind: string) => void audited.push(kind),
      } as unknown as Asked
      return route.handle(asked, reply)
    },
  })
}
app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof ArchiveError)) throw error
  return reply.code(failures[error.code].http).send({ code: error.code })
})
after(async () => {
  await app.close()
  db.close()
})

type Row = Readonly<Record<string, { readonly vr: string; readonly Value?: readonly unknown[] }>>

async function get(url: string, headers: Record<string, string> = {}) {
  return app.inject({ method: 'GET', url: `/dicom-web${url}`, headers })
}

async function found(url: string): Promise<Row[]> {
  const answer = await get(url)
  if (answer.statusCode === 204) return []
  assert.equal(answer.statusCode, 200, answer.body)
  return answer.json()
}

function value(row: Row | undefined, tag: string): unknown {
  return row?.[tag]?.Value?.[0]
}

// Last number of the Study Instance UIDs that are found, in the order of the answer.
const searches: { query: string; studies: string }[] = [
  { query: '', studies: '54321' },
  { query: 'PatientName=MULLER*', studies: '21' },
  { query: 'PatientName=m%C3%BCller*', studies: '21' },
  { query: 'PatientName=M%C3%BCller^J%C3%B6rg', studies: '1' },
  { query: 'PatientName=Muller', studies: '' },
  { query: 'PatientName=MULLER', studies: '' },
  { query: 'PatientName=*ULLER*', studies: '21' },
  { query: 'PatientName=*^ANNA', studies: '2' },
  { query: 'PatientName=?ULLER^A*', studies: '2' },
  { query: 'PatientName=*LL*', studies: '21' },
  { query: 'PatientName=%E5%B1%B1%E7%94%B0*', studies: '3' },
  { query: 'PatientName=Yamada*%3D%E5%B1%B1%E7%94%B0*', studies: '3' },
  { query: 'PatientName=Yamada*%3D%E7%94%B0*', studies: '' },
  { query: 'PatientName=cruz&fuzzymatching=true', studies: '4' },
  { query: 'PatientName=maria%20cru&fuzzymatching=true', studies: '4' },
  { query: 'PatientName=%E5%A4%AA%E9%83%8E&fuzzymatching=true', studies: '3' },
  { query: 'PatientName=cruz', studies: '' },
  { query: 'ReferringPhysicianName=HOUSE*', studies: '1' },
  { query: 'ReferringPhysicianName=greg&fuzzymatching=true', studies: '1' },
  { query: 'PatientID=P10*', studies: '21' },
  { query: 'PatientID=*10*', studies: '21' },
  { query: 'PatientID=P100&IssuerOfPatientID=HOSPITAL', studies: '1' },
  { query: 'PatientID=P100&IssuerOfPatientID=OTHER', studies: '' },
  { query: 'PatientID=p100', studies: '' },
  { query: 'PatientID=P1%25', studies: '' },
  { query: "PatientID=' or 1=1 --", studies: '' },
  { query: 'AccessionNumber=A_1', studies: '1' },
  { query: 'AccessionNumber=A?1', studies: '21' },
  { query: 'AccessionNumber=*_1*', studies: '1' },
  { query: 'AccessionNumber=%22%22&emptyvaluematching=true', studies: '543' },
  { query: 'AccessionNumber=A_1%5CAX1&multiplevaluematching=true', studies: '21' },
  { query: 'StudyDescription=*[native]*', studies: '1' },
  { query: 'StudyDescription=*[a-z]*', studies: '' },
  { query: 'StudyDescription=*%25', studies: '2' },
  { query: 'StudyDescription=head*', studies: '' },
  { query: 'StudyDate=20250202-20250404', studies: '432' },
  { query: 'StudyDate=20250404-', studies: '54' },
  { query: 'StudyDate=20250505', studies: '5' },
  { query: 'StudyTime=1012-1012', studies: '1' },
  { query: 'StudyTime=-1100', studies: '51' },
  { query: 'PatientBirthDate=19700101', studies: '1' },
  { query: 'ModalitiesInStudy=CT', studies: '541' },
  { query: 'ModalitiesInStudy=MR%5CSR', studies: '42' },
  { query: 'ModalitiesInStudy=ZZ', studies: '3' },
  { query: 'ModalitiesInStudy=M*', studies: '2' },
  { query: 'ModalitiesInStudy=SR&PatientName=de*&StudyDate=20250101-', studies: '4' },
  { query: 'StudyInstanceUID=1.1,1.5,9.9', studies: '51' },
  { query: 'orderby=PatientName', studies: '54213' },
  { query: 'orderby=StudyDate', studies: '12345' },
  { query: 'offset=1&limit=2', studies: '43' },
  { query: 'offset=9', studies: '' },
  { query: 'limit=0', studies: '' },
]

for (const { query, studies } of searches) {
  test(`studies?${decodeURIComponent(query)}`, async () => {
    const rows = await found(`/studies?${query}`)
    assert.equal(rows.map((row) => String(value(row, '0020000D')).slice(-1)).join(''), studies)
    if (/limit|offset/.test(query)) return
    assert.deepEqual((await get(`/studies/count?${query}`)).json(), { count: studies.length })
  })
}

const below: { url: string; tag: string; is: unknown[] }[] = [
  { url: '/studies/1.4/series', tag: '0020000E', is: ['1.4.9', '1.4.1'] },
  { url: '/studies/1.4/series?Modality=SR', tag: '0020000E', is: ['1.4.9'] },
  { url: '/series?BodyPartExamined=BRAIN', tag: '0020000E', is: ['1.4.9'] },
  { url: '/series?Modality=CT', tag: '0020000E', is: ['1.5.1', '1.4.1', '1.1.1'] },
  { url: '/series?PatientName=muller*', tag: '0020000E', is: ['1.2.1', '1.1.1'] },
  { url: '/series?RequestAttributesSequence.ScheduledProcedureStepID=STEP1', tag: '0020000E', is: ['1.1.1'] },
  { url: '/series?00400275.00401001=STEP1', tag: '0020000E', is: [] },
  { url: '/studies/1.4/instances', tag: '00080018', is: ['1.4.2', '1.4.1'] },
  { url: '/studies/1.4/series/1.4.9/instances', tag: '00080018', is: ['1.4.2'] },
  { url: '/studies/1.4/series/1.1.1/instances', tag: '00080018', is: [] },
  { url: `/instances?SOPClassUID=${SR}`, tag: '00080018', is: ['1.4.2'] },
  { url: '/instances?SOPInstanceUID=1.1.1,1.5.1', tag: '00080018', is: ['1.5.1', '1.1.1'] },
  { url: '/instances?SOPClassUID=1.9', tag: '00080018', is: [] },
  { url: '/instances?PatientID=P300&Modality=SR', tag: '00080018', is: ['1.4.2'] },
  { url: '/instances?limit=2', tag: '00080018', is: ['1.5.1', '1.4.2'] },
  { url: '/studies/9.9/series', tag: '0020000E', is: [] },
]

for (const { url, tag, is } of below) {
  test(url, async () => {
    assert.deepEqual(
      (await found(url)).map((row) => value(row, tag)),
      is,
    )
  })
}

test('a study row has the required attributes, ascending, with its Retrieve URL', async () => {
  const [row] = await found('/studies?StudyInstanceUID=1.1')
  assert.deepEqual(row, {
    '00080020': { vr: 'DA', Value: ['20250101'] },
    '00080030': { vr: 'TM', Value: ['101259'] },
    '00080050': { vr: 'SH', Value: ['A_1'] },
    '00080056': { vr: 'CS', Value: ['ONLINE'] },
    '00080061': { vr: 'CS', Value: ['CT'] },
    '00080090': { vr: 'PN', Value: [{ Alphabetic: 'House^Gregory' }] },
    '00081030': { vr: 'LO', Value: ['Head [native]'] },
    '00081190': { vr: 'UR', Value: ['https://pacs.example/dicom-web/studies/1.1'] },
    '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Müller^Jörg' }] },
    '00100020': { vr: 'LO', Value: ['P100'] },
    '00100030': { vr: 'DA', Value: ['19700101'] },
    '00100040': { vr: 'CS' },
    '0020000D': { vr: 'UI', Value: ['1.1'] },
    '00200010': { vr: 'SH' },
    '00201206': { vr: 'IS', Value: [1] },
    '00201208': { vr: 'IS', Value: [1] },
  })
  assert.deepEqual(Object.keys(row ?? {}), Object.keys(row ?? {}).sort())
})

test('rows below a study name their parents and never hold a lower level', async () => {
  const [series] = await found('/studies/1.1/series?includefield=all')
  assert.equal(value(series, '0020000D'), '1.1')
  assert.deepEqual(value(series, '00100010'), { Alphabetic: 'Müller^Jörg' })
  assert.deepEqual(value(series, '00400275'), {
    '00400009': { vr: 'SH', Value: ['STEP1'] },
    '00401001': { vr: 'SH', Value: ['PROC1'] },
  })
  assert.equal(value(series, '00081190'), 'https://pacs.example/dicom-web/studies/1.1/series/1.1.1')
  assert.equal(series?.['00080018'], undefined)
  const [instance] = await found('/instances?SOPInstanceUID=1.1.1')
  assert.equal(value(instance, '00280010'), 512)
  assert.equal(value(instance, '00080016'), '1.2.840.10008.5.1.4.1.1.2')
  assert.equal(value(instance, '00080050'), 'A_1')
})

test('fields that are not indexed come from the metadata, private ones with their creator', async () => {
  const [instance] = await found('/instances?SOPInstanceUID=1.1.1&includefield=00091001&includefield=PatientPosition')
  assert.equal(value(instance, '00091001'), 'private')
  assert.equal(value(instance, '00090010'), 'ACME')
  assert.equal(value(instance, '00185100'), 'HFS')
  const [series] = await found('/studies/1.1/series?includefield=PatientPosition,00091001')
  assert.equal(value(series, '00185100'), 'HFS')
  assert.equal(series?.['00091001'], undefined)
})

test('pages go on by Link until nothing is left, and each study comes once', async () => {
  for (const order of ['', '&orderby=PatientName', '&orderby=-PatientName', '&orderby=StudyDate', '&PatientName=*']) {
    const seen: unknown[] = []
    let url: string | undefined = `/studies?limit=2${order}`
    while (url !== undefined) {
      const answer = await get(url)
      assert.equal(answer.statusCode, 200, answer.body)
      for (const row of answer.json() as Row[]) seen.push(value(row, '0020000D'))
      const link: string | undefined = /<https:\/\/pacs\.example\/dicom-web([^>]+)>; rel="next"/.exec(
        String(answer.headers['link']),
      )?.[1]
      assert.equal(/additional results/.test(String(answer.headers['warning'])), link !== undefined)
      url = link
    }
    assert.equal(seen.length, 5, order)
    assert.equal(new Set(seen).size, 5, order)
  }
  const next = /after=([^&>]+)/.exec(String((await get('/studies?limit=2')).headers['link']))?.[1]
  assert.equal((await get(`/studies?limit=2&orderby=PatientName&after=${next}`)).statusCode, 400)
  assert.equal((await get('/studies?after=nonsense')).statusCode, 400)
})

test('forms, compression, statuses and warnings', async () => {
  assert.match(String((await get('/studies')).headers['content-type']), /^application\/dicom\+json/)
  assert.match(
    String((await get('/studies', { accept: 'application/json' })).headers['content-type']),
    /^application\/json/,
  )
  assert.equal((await get('/studies', { accept: 'image/png' })).statusCode, 406)
  const xml = await get('/studies', { accept: 'multipart/related; type="application/dicom+xml"' })
  assert.match(String(xml.headers['content-type']), /^multipart\/related; type="application\/dicom\+xml"; boundary=/)
  assert.equal(xml.body.split('<NativeDicomModel').length - 1, 5)
  const zipped = await get('/studies', { 'accept-encoding': 'gzip' })
  assert.equal(zipped.headers['content-encoding'], 'gzip')
  assert.equal(JSON.parse(gunzipSync(zipped.rawPayload).toString()).length, 5)
  assert.equal((await get('/studies?PatientID=none')).statusCode, 204)
  assert.equal((await get('/studies?PatientID=1&PatientID=2')).statusCode, 400)
  assert.equal((await get('/studies/not-a-uid/series')).statusCode, 400)
  const warned = await get('/studies?Rows=512')
  assert.match(String(warned.headers['warning']), /^299 diptych "The attribute 00280010 cannot be matched here/)
  assert.ok(audited.length > 0 && audited.every((kind) => kind === 'query'))
})

test('a caller sees only the patients it may see, in rows and in counts', async () => {
  visibility = { sees: 'patients', patientIds: ['HOSPITAL|P300'] }
  try {
    assert.equal((await found('/studies')).length, 1)
    assert.equal((await found('/studies?orderby=PatientName')).length, 1)
    assert.deepEqual((await get('/studies/count')).json(), { count: 1 })
    assert.equal((await get('/studies?PatientID=P100')).statusCode, 204)
    assert.equal((await get('/studies/1.1/series')).statusCode, 204)
    assert.deepEqual((await get('/instances/count?Modality=CT')).json(), { count: 1 })
    visibility = { sees: 'nothing' }
    assert.equal((await get('/studies')).statusCode, 204)
    assert.deepEqual((await get('/studies/count')).json(), { count: 0 })
  } finally {
    visibility = EVERYTHING
  }
})
