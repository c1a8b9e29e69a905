/** FHIR after the index was made anew from the segments: every version of everything that was written is the same. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Bundle, Resource } from '@medplum/fhirtypes'
import { plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const place = temporaryDirectory('fhir-rebuild')
after(() => place.remove())

type Answer = Resource & { readonly entry?: Bundle['entry'] }

async function ask(server: LiveServer, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${server.url}/fhir${path}`, {
    method,
    headers: { 'content-type': 'application/fhir+json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${text}`)
  return text === '' ? ({} as Answer) : (JSON.parse(text) as Answer)
}

async function write(server: LiveServer): Promise<void> {
  const named = await fetch(
    `${server.url}/api/v1/documents?patient=1&issuer=HOSP&title=Befund&type=18748-4&specialty=Radiology&facility=Hospital`,
    { method: 'POST', headers: { 'content-type': 'application/pdf' }, body: Buffer.from(plainPdf(['one'])) },
  )
  assert.equal(named.status, 201, await named.text())
  const organization = await ask(server, 'POST', '/Organization', { resourceType: 'Organization', name: 'One' })
  await ask(server, 'PUT', `/Organization/${organization.id}`, { ...organization, name: 'Two' })
  const gone = await ask(server, 'POST', '/Practitioner', { resourceType: 'Practitioner', active: true })
  await ask(server, 'DELETE', `/Practitioner/${gone.id}`)
  const patient = (await ask(server, 'GET', '/Patient?identifier=1')).entry?.[0]?.resource
  const document = {
    ...{ resourceType: 'DocumentReference', status: 'current', subject: { reference: `Patient/${patient?.id}` } },
    extension: [{ url: 'http://example.org/e', valueString: 'kept' }],
    content: [
      { attachment: { contentType: 'application/pdf', data: Buffer.from(plainPdf(['two'])).toString('base64') } },
    ],
  }
  const made = await ask(server, 'POST', '/DocumentReference', document)
  await ask(server, 'PUT', `/DocumentReference/${made.id}`, { ...made, description: 'said later' })
}

/** Without the addresses of the server, which has another port each time. */
async function seen(server: LiveServer): Promise<string> {
  const told: unknown[] = []
  for (const type of ['Organization', 'Practitioner', 'DocumentReference', 'List', 'Patient', 'DiagnosticReport']) {
    const found = await ask(server, 'GET', `/${type}?_count=100`)
    const resources = (found.entry ?? []).map(({ resource }) => resource)
    told.push(
      type,
      resources.toSorted((a, b) => ((a?.id ?? '') < (b?.id ?? '') ? -1 : 1)),
    )
    if (type === 'Patient' || type === 'DiagnosticReport') continue
    for (const resource of resources) told.push(await ask(server, 'GET', `/${type}/${resource?.id}/_history`))
  }
  told.push(await ask(server, 'GET', '/Practitioner/_history'), await ask(server, 'GET', '/Organization?name=two'))
  return JSON.stringify(told, null, 1).replaceAll(server.url, '')
}

test('rebuild-index brings FHIR resources back equal, with every version', { timeout: 120_000 }, async () => {
  let server = await startServer({ dataDirectory: place.path })
  await write(server)
  const before = await seen(server)
  assert.match(before, /said later/)
  assert.match(before, /"valueString": "kept"/)
  await server.stop()
  const rebuilt = await runCommand(['rebuild-index', '--data', place.path, '--json'])
  assert.equal(rebuilt.status, 0, rebuilt.stderr)
  server = await startServer({ dataDirectory: place.path })
  try {
    assert.equal(await seen(server), before)
  } finally {
    await server.stop()
  }
})
