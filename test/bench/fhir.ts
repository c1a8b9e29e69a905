/**
 * Reads and searches of FHIR over the archive that documents.ts made: p50 and p95 in milliseconds, from the index to the
 * bytes of the answer, without the network; and what loading the FHIR part costs.
 *
 *     node test/bench/documents.ts --documents 1000000 --keep FILE
 *     node test/bench/fhir.ts --keep FILE [--documents 1000000] [--runs 500] [--json]
 */
import { parseArgs } from 'node:util'
import { Criteria } from '../../src/access/fhir/criteria.ts'
import type { Caller, FhirSources } from '../../src/access/fhir/kind.ts'
import { openDatabase } from '../../src/index/sqlite/database.ts'
import { createDocumentReader } from '../../src/index/sqlite/document-reader.ts'
import { createFhirReader } from '../../src/index/sqlite/fhir-reader.ts'
import { EVERYTHING } from '../../src/model/visibility.ts'
import { createIssuers } from '../../src/security/issuers.ts'

const { values } = parseArgs({
  options: {
    keep: { type: 'string' },
    documents: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '500' },
    json: { type: 'boolean' },
  },
})
if (values.keep === undefined) throw new TypeError('--keep FILE: an archive that test/bench/documents.ts made')
const [documents, runs] = [Number(values.documents), Number(values.runs)]

const memory = () => process.memoryUsage().rss / 1e6
const [began, before] = [performance.now(), memory()]
const [{ documentReferenceKind }, { patientKind }, { toXml }, { loadDefinitions }] = await Promise.all([
  import('../../src/access/fhir/document-reference.ts'),
  import('../../src/access/fhir/patient.ts'),
  import('../../src/standards/fhir/xml-write.ts'),
  import('../../src/standards/fhir/definitions.ts'),
])
loadDefinitions()
const loaded = { ms: performance.now() - began, megabytes: memory() - before }

const db = openDatabase(values.keep, { readOnly: true })
const issuers = createIssuers([])
const sources = {
  documents: createDocumentReader(db),
  fhir: createFhirReader(db),
  issuers: () => issuers,
  // Bytes are not read here: documents leave as they were kept.
  onTheWay: { documents: { stated: ({ size, sha1 }: { size: number; sha1: string }) => ({ size, sha1 }) } },
} as unknown as FhirSources
const caller: Caller = { origin: 'http://localhost', visibility: EVERYTHING, sees: () => EVERYTHING }
const [references, patients] = [documentReferenceKind.source(sources), patientKind.source(sources)]
const idOf = (n: number) => {
  const hex = (n + 1).toString(16).padStart(32, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
const patientIds = db
  .all<{ id: string }>(
    'select id from patient where key % ? = 1 limit 2000',
    Math.max(1, Math.floor(documents / 16_000)),
  )
  .map(({ id }) => id)
let seed = 1
const any = (n: number) => (Math.imul(seed++ ^ (seed >>> 3), 2654435761) >>> 0) % n

async function measure(name: string, work: () => Promise<unknown>) {
  for (let i = 0; i < 30; i++) await work()
  const times: number[] = []
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    const made = await work()
    times.push(performance.now() - start)
    if (made === undefined) throw new Error(`${name} found nothing`)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(runs - 1, Math.floor(runs * share))] ?? 0
  return { name, p50: at(0.5), p95: at(0.95) }
}

const paging = { limit: 20, cursor: undefined, sort: undefined }
const ofPatient = () => [{ code: 'patient', modifier: null, values: [`Patient/${patientIds[any(patientIds.length)]}`] }]
const json = (value: unknown) => (value === undefined ? undefined : Buffer.from(JSON.stringify(value)))
const rows = [
  await measure('read DocumentReference, JSON', async () => json(await references.read(idOf(any(documents)), caller))),
  await measure('read DocumentReference, XML', async () => {
    const made = await references.read(idOf(any(documents)), caller)
    return made === undefined ? undefined : toXml(made as never)
  }),
  await measure('read Patient, JSON', async () =>
    json(await patients.read(patientIds[any(patientIds.length)] ?? '', caller)),
  ),
  await measure('DocumentReference of a patient', async () => {
    return json((await references.search(new Criteria(ofPatient()), paging, caller)).resources)
  }),
]
db.close()
if (values.json) process.stdout.write(`${JSON.stringify({ documents, loaded, rows })}\n`)
else {
  process.stdout.write(`definitions loaded in ${loaded.ms.toFixed(0)} ms, ${loaded.megabytes.toFixed(0)} MB\n`)
  for (const { name, p50, p95 } of rows) {
    process.stdout.write(`${name.padEnd(34)} p50 ${p50.toFixed(2)} ms  p95 ${p95.toFixed(2)} ms\n`)
  }
}
