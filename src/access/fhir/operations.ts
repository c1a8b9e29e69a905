/** Operations of IHE beside the interactions of every type: their routes, and what each does. */
import type { Parameters, Patient } from '@medplum/fhirtypes'
import type { FastifyReply } from 'fastify'
import { fedPatient } from '#arrival/pixm/patient-feed.ts'
import type { Provenance } from '#model/arrival.ts'
import type { DocumentDesk } from '#model/document-desk.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import type { Asked } from '#model/route.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import { problemsOf } from '#standards/fhir/validate.ts'
import { type FhirAsked, fhirAsked } from './asking.ts'
import { readResource } from './body.ts'
import { generatedFrom } from './generate-metadata.ts'
import type { FhirSources } from './kind.ts'
import { FhirFault } from './outcome.ts'
import { patientOf } from './patient.ts'
import { matchAsked, matched } from './patient-match.ts'
import { crossReferenced } from './patient-pix.ts'
import type { FhirSearch } from './search.ts'

export interface OperationTools {
  readonly sources: FhirSources
  readonly search: FhirSearch
  readonly desk: Pick<DocumentDesk, 'submit'>
  readonly identity: IdentityDesk
  readonly ledger: Pick<IdentityReader, 'similar' | 'patient'>
  readonly jsonDepth: number
  send(request: FhirAsked, resource: Parameters | Patient | ReturnType<typeof matched>, status?: number): unknown
}

type Handle = (asked: Asked<unknown>, reply: FastifyReply) => Promise<unknown>

export function createOperations({ sources, search, desk, identity, ledger, jsonDepth, send }: OperationTools): {
  readonly pix: Handle
  readonly match: Handle
  readonly feed: Handle
  readonly generate: Handle
} {
  async function body(asked: Asked<unknown>, type?: string) {
    const read = await readResource(asked, jsonDepth)
    const { resource } = read
    if (type !== undefined && resource['resourceType'] !== type) {
      throw FhirFault.at(400, 'invalid', 'resourceType', `the body is no ${type}`)
    }
    const problems = problemsOf(resource).filter(({ severity }) => severity === 'error')
    if (problems.length > 0) throw new FhirFault(400, problems)
    return read
  }

  return {
    async pix(asked, reply) {
      const request = fhirAsked(asked, reply)
      const { visibility } = search.caller(request.asker, 'Patient', 's')
      const answer = crossReferenced(sources, asked.query, request.base, visibility)
      await asked.audit('query', { detail: 'ITI-83 fhir Patient/$ihe-pix', count: answer.parameter?.length ?? 0 })
      return send(request, answer)
    },

    async match(asked, reply) {
      const request = fhirAsked(asked, reply)
      const { visibility } = search.caller(request.asker, 'Patient', 's')
      const { resource } = await body(asked)
      const found = matched(sources, ledger, matchAsked(resource), request.base, visibility)
      await asked.audit('query', { detail: 'ITI-119 fhir Patient/$match', count: found.total ?? 0 })
      return send(request, found)
    },

    async feed(asked, reply) {
      const request = fhirAsked(asked, reply)
      const [condition, ...more] = asked.query.getAll('identifier')
      const { system, code } = tokenOf(condition ?? '')
      if (more.length > 0 || !system || !code) {
        throw FhirFault.at(400, 'required', 'identifier', 'a patient is fed under one identifier, as system|value')
      }
      const { resource } = await body(asked, 'Patient')
      const rowOf = (id: string) => sources.fhir.patients({ ids: [id], limit: 1 }, EVERYTHING).items[0]
      const fed = fedPatient(
        resource as unknown as Patient,
        { system, value: code },
        {
          issuers: sources.issuers(),
          known: (key) => ledger.patient(key),
          keyOf(reference) {
            const id = /^Patient\/([A-Za-z0-9.-]{1,64})$/.exec(reference.replace(`${request.base}/`, ''))?.[1]
            return id === undefined ? undefined : rowOf(id)?.patient
          },
        },
      )
      if (fed.problems.length > 0) throw new FhirFault(422, fed.problems)
      const isNew = ledger.patient(fed.patient) === undefined
      const cause = { by: asked.subject.name, rule: 'ITI-104', reference: null, reason: null }
      await identity.decide(fed.decisions, cause, asked.address)
      const kept = ledger.patient(fed.patient)
      const row = kept === undefined ? undefined : rowOf(kept.patientId)
      if (row === undefined) throw FhirFault.at(500, 'exception', 'Patient', 'what was registered cannot be found')
      reply.header('location', `${request.base}/Patient/${row.patient.patientId}`)
      return send(request, patientOf(row, sources.issuers()), isNew ? 201 : 200)
    },

    async generate(asked, reply) {
      const request = fhirAsked(asked, reply)
      const { resource, format } = await body(asked)
      const document = await generatedFrom(resource, format, {
        ...{ desk, sources, provenance: provenanceOf(asked), origin: request.asker.origin },
      })
      const reference = `DocumentReference/${document.entryUuid}`
      await asked.audit('store', {
        detail: `ITI-106 ${reference}`,
        count: 1,
        ...(document.patientId === null ? {} : { patientId: document.patientId }),
      })
      return send(request, {
        resourceType: 'Parameters',
        parameter: [{ name: 'DocumentReference', valueReference: { reference } }],
      })
    },
  }
}

/** What came in by FHIR, for the record of its arrival. */
export function provenanceOf({ subject, address }: Pick<Asked<unknown>, 'subject' | 'address'>): Provenance {
  return {
    ...{ door: 'fhir', peer: null, originator: null, user: subject.name, address, medium: null, path: null },
    time: new Date().toISOString(),
  }
}
