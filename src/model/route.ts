import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Permission, Subject } from './permission.ts'
import type { Visibility } from './visibility.ts'

/** A request that has been let in: who asks, what they may see, and how the world names this server. */
export interface Asked<P = unknown> {
  readonly params: P
  readonly query: URLSearchParams
  readonly headers: FastifyRequest['headers']
  /** The raw request: its body is a stream for routes with `body: 'stream'`. */
  readonly raw: FastifyRequest['raw']
  /** Parsed JSON body for routes with `body: 'json'`; unknown until the route parses it. */
  readonly body: unknown
  readonly subject: Subject
  readonly visibility: Visibility
  readonly address: string
  /** Scheme and authority as the caller sees them (trusted proxy headers applied), without a trailing slash. */
  readonly baseUrl: string
  /** Ends when the caller goes away. */
  readonly signal: AbortSignal
  /** Writes the audit entry of a read; resolves once its first record for (user, study, kind) is durable. */
  audit(kind: 'query' | 'read' | 'export' | 'delete' | 'decide' | 'store', what: AuditedThing): Promise<void>
}

export interface AuditedThing {
  readonly studyInstanceUID?: string
  readonly patientId?: string
  readonly detail?: string
  readonly count?: number
}

/** What the OpenAPI document says of a route beyond its path and right. */
export interface RouteDescription {
  readonly summary: string
  readonly query?: { readonly [name: string]: string }
  /** JSON Schemas of the body taken, worked out when asked for, and of the answer to a success. */
  readonly request?: () => { readonly [keyword: string]: unknown }
  readonly response?: { readonly [keyword: string]: unknown }
  /** Status of a success; 200 when it is left out. */
  readonly status?: number
  /** What a success answers where it is no JSON, and headers that matter. */
  readonly answers?: string
  /** A body that is taken. */
  readonly example?: unknown
}

/** An interaction with a FHIR resource type, as SMART scopes name it: create, read, update, delete, search. */
export interface ScopeNeed {
  readonly resource: string
  /** Letters of `cruds`, all of which are needed. */
  readonly interactions: string
}

/**
 * One transaction, one file. Path, the standard's name for it and the right it needs stand together, so that the
 * access matrix and the conformance statement are generated from the code. style.md.
 */
export interface Route<P = unknown> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS'
  /** Full path with `:name` parameters, e.g. `/dicom-web/studies/:study`. */
  readonly url: string
  readonly standard: string
  /** `public` needs nothing, `signed-in` any valid subject. */
  readonly needs: Permission | 'public' | 'signed-in'
  /** What a token limited by SMART scopes must hold beside the right of its role, where that is more exact than `needs`. */
  readonly scope?: ScopeNeed
  /** How the body is taken; default none. `stream` leaves it unread in `raw`. */
  readonly body?: 'json' | 'stream'
  readonly describes?: RouteDescription
  handle(asked: Asked<P>, reply: FastifyReply): Promise<unknown>
}
