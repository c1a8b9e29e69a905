import { ROLES, type Role } from '#model/permission.ts'
import { createIssuers } from '#security/issuers.ts'
import type { SiteSettings } from '#security/site-settings.ts'
import { type ArchiveCommand, action, type Given, needed, operand, text, texts, UsageError } from '../command.ts'

export const tokenCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'token',
  summary: 'Make and revoke tokens for programs',
  operands: 'create | list | revoke ID',
  flags: {
    role: { type: 'string', value: 'ROLE', about: ROLES.join(', ') },
    patient: { type: 'string', value: 'ID', multiple: true, about: 'only these patients' },
    issuer: {
      type: 'string',
      value: 'ISSUER',
      about: 'issuer of the patient identifiers; without it whoever gave such a number',
    },
    scope: {
      type: 'string',
      value: 'SCOPE',
      multiple: true,
      about: 'SMART scope or name of a right, e.g. object.read',
    },
    expires: { type: 'string', value: 'TIME', about: 'time to live, e.g. 90m, 1h, 30d; else until revoked' },
    name: { type: 'string', value: 'NAME', about: 'what it is for' },
  },
  operandCount: [1, 2],
  more: 'create prints the token and nothing else; it is kept nowhere and takes effect at once.',
  async run({ tokens, reader, settings }, given, emit) {
    switch (action(given, ['create', 'list', 'revoke'])) {
      case 'create': {
        const patients = texts(given, 'patient')
        const said = text(given, 'issuer') ?? null
        // By whichever of its names: patients are kept under one.
        const issuer = said === null ? null : createIssuers(settings.get('identity.issuers')).canonical(said)
        if (issuer !== null && patients.length === 0) throw new UsageError('--issuer goes with --patient')
        const name = text(given, 'name')
        const expires = text(given, 'expires')
        const { token, view } = await tokens.create(
          {
            role: roleOf(given),
            scopes: texts(given, 'scope'),
            patients: patients.length === 0 ? null : patients.map((id) => ({ id, issuer })),
            ...(name === undefined ? {} : { name }),
            ...(expires === undefined ? {} : { expires }),
          },
          'local',
          null,
        )
        for (const id of patients) {
          if ((await reader.patientIds(id, issuer ?? undefined)).length > 0) continue
          const whose = issuer === null ? id : `${id} of issuer ${issuer}`
          await emit({ note: `No patient ${whose} is known yet: this token shows nothing until there is one.` })
          if (issuer === null) continue
          if (!isNamed(issuer, settings)) {
            const note = `${issuer} is no issuer of the register, of an originator, or our own: is it spelt as it is kept?`
            await emit({ note })
          }
          if ((await reader.patientIds(id)).length > 0) await emit({ note: `${id} is known under another issuer.` })
        }
        if (name === undefined) {
          await emit({
            note: `Decisions of this token stand under ${view.id}: --name says what it is for, token list shows it.`,
          })
        }
        for (const id of issuer === null ? patients : []) {
          const known = (await reader.patientIds(id)).length
          if (known > 1)
            await emit({
              note: `${id} was given by ${known} issuers: the token reaches all of them. --issuer names one.`,
            })
        }
        await emit({ json: { token, ...view }, text: token })
        return 0
      }
      case 'list': {
        const all = tokens.list()
        const width = all[0]?.id.length ?? 0
        const heading = `${'ID'.padEnd(width)}  ${'ROLE'.padEnd(13)} ${'STATE'.padEnd(8)} EXPIRES  NAME`
        if (all.length > 0) await emit({ heading })
        for (const token of all) {
          const { id, role, state, name, expiresAt } = token
          await emit({
            json: token,
            text: `${id}  ${role.padEnd(13)} ${state.padEnd(8)} ${expiresAt ?? 'until revoked'}  ${name}`,
          })
        }
        return 0
      }
      case 'revoke': {
        const view = await tokens.revoke(operand(given, 1, 'the id of the token'), 'local', null)
        await emit({ json: view, text: `${view.id} ${view.state}` })
        return 0
      }
    }
  },
}

/** True for an issuer that this site named anywhere. */
function isNamed(issuer: string, settings: SiteSettings): boolean {
  return (
    settings.get('identity.defaultIssuer') === issuer ||
    settings.get('identity.issuers').some(({ name }) => name === issuer) ||
    settings.originators().some((originator) => originator.issuer === issuer)
  )
}

/** @throws UsageError for a role that is none */
export function roleOf(given: Given): Role {
  const name = needed(given, 'role')
  const role = ROLES.find((each) => each === name)
  if (role === undefined) throw new UsageError(`--role wants one of: ${ROLES.join(', ')}`)
  return role
}
