import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Config } from '#config.ts'
import { ArchiveError } from '#errors.ts'
import type { Peer } from '#model/peer.ts'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/write.ts'
import { type AssociationLimits, DEFAULT_ASSOCIATION_LIMITS } from '#standards/dimse/association.ts'
import { DimseError } from '#standards/dimse/dimse-error.ts'
import { requestAssociation } from '#standards/dimse/request.ts'
import type { Connector } from './connector.ts'

type Settings = Pick<Config, 'dimse' | 'limits'>

/** Opens associations over TCP or TLS, as the register says. */
export function createConnector({ dimse, limits }: Settings): Connector {
  const bounds: AssociationLimits = {
    ...DEFAULT_ASSOCIATION_LIMITS,
    pduLengthMax: limits.dimsePduBytes,
    artimMs: limits.dimseArtimSeconds * 1000,
    idleMs: limits.dimseIdleSeconds * 1000,
  }
  const callingAeTitle = (peer: Peer) => (peer.callingAeTitle ?? dimse.aeTitle).trim()
  return {
    callingAeTitle,
    async connect(peer, { contexts, roles = [], extended = new Map(), signal }) {
      signal?.throwIfAborted()
      const { host, port } = peer
      if (host === null || port === null) {
        throw new ArchiveError('request.malformed', `${peer.aeTitle} is registered without host and port`)
      }
      const socket = peer.tls ? await secure(dimse, peer, host, port, bounds.artimMs) : connectTcp({ host, port })
      socket.setNoDelay(true)
      const abandon = () => socket.destroy()
      signal?.addEventListener('abort', abandon, { once: true })
      try {
        return await requestAssociation(
          socket,
          {
            callingAeTitle: callingAeTitle(peer),
            calledAeTitle: peer.aeTitle,
            contexts,
            implementationClassUID: IMPLEMENTATION_CLASS_UID,
            implementationVersionName: IMPLEMENTATION_VERSION_NAME,
            operations: { invoked: limits.dimseOperations, performed: limits.dimseOperations },
            roles,
            extended,
          },
          bounds,
        )
      } finally {
        signal?.removeEventListener('abort', abandon)
      }
    },
  }
}

/** Resolves when the handshake is over and the other end is who it has to be. */
function secure(dimse: Config['dimse'], peer: Peer, host: string, port: number, ms: number): Promise<Socket> {
  const { tlsCertificate, tlsKey, tlsAuthorities } = dimse
  const known = new Set(peer.certificates)
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls({
      host,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: 'TLSv1.2',
      ...(tlsCertificate === undefined ? {} : { cert: readFileSync(tlsCertificate) }),
      ...(tlsKey === undefined ? {} : { key: readFileSync(tlsKey) }),
      ...(tlsAuthorities === undefined ? {} : { ca: readFileSync(tlsAuthorities) }),
      // A registered digest says more than an authority: it is compared below.
      rejectUnauthorized: known.size === 0,
    })
    const fail = (detail: string) => {
      socket.destroy()
      reject(new DimseError('lost', detail))
    }
    const timer = setTimeout(() => fail(`no TLS within ${ms} ms`), ms)
    socket.once('error', (error) => {
      clearTimeout(timer)
      fail(`TLS: ${error.message}`)
    })
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      const digest = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? ''
      if (known.size > 0 && !known.has(digest)) return fail('the peer shows a certificate that is not registered')
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
}
