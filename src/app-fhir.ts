/** FHIR put together: what its resources are made from, in one place. */
import { type FhirDoor, fhirDoor } from '#access/fhir/fhir-routes.ts'
import type { ErrorLog } from '#access/http-server-problem.ts'
import { createIssuers, type Issuers } from '#security/issuers.ts'
import type { SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import type { Archive } from './app.ts'

export function openFhir(archive: Archive, version: string, log: ErrorLog): FhirDoor {
  const {
    reader,
    documents,
    fhir,
    fhirDerived: derived,
    fhirResources: own,
    ledger,
    security,
    onTheWay,
    config,
    documentDesk: desk,
    identity,
  } = archive
  const sources = { reader, documents, onTheWay, fhir, derived, own, ledger, security, issuers: issuersNow(security) }
  return fhirDoor({ sources, desk, identity, ledger, version, limits: config.limits, log })
}

/** The register of issuers, read again only when a setting changed. */
function issuersNow(security: Pick<SecurityReader, 'settings' | 'settingsVersion'>): () => Issuers {
  let version = -1
  let issuers = createIssuers([])
  return () => {
    const now = security.settingsVersion()
    if (now !== version) {
      issuers = createIssuers(settingIn(security.settings(), 'identity.issuers'))
      version = now
    }
    return issuers
  }
}
