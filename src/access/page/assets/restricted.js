import { ask } from './api.js'
import { fill, h, instant, problem, say, table } from './dom.js'
import { may, session } from './session.js'

const KINDS = {
  restricted: 'Restricted: for those who treat and those who keep order',
  'very-restricted': 'Very restricted: only by breaking the glass',
  'consent-denied': 'No consent: only by breaking the glass',
  vip: 'Watched: every look raises an alert',
}
/** Roles that may open a restricted record in an emergency. */
const TREATS = ['clinician', 'administrator']

export const treats = () => TREATS.includes(session.subject?.role)

/** What is withheld of patients, and opening it in an emergency. */
export async function restrictedPage(main, place) {
  const none = { items: [] }
  const [restrictions, glasses] = await Promise.all([
    may('identity.read') ? ask('/api/v1/restrictions') : none,
    may('audit.read') ? ask('/api/v1/break-glass') : none,
  ])
  if (!place.current()) return
  const again = () => restrictedPage(main, place)
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Restricted records'),
      h('p', { class: 'quiet' }, 'What is withheld is not there, for nobody who may not see it.'),
    ),
    h(
      'div',
      { class: 'two narrowable' },
      h('div', {}, may('identity.read') ? listCard(restrictions.items, again) : null, glassList(glasses.items)),
      h('div', {}, treats() ? breakCard(again) : null, may('identity.decide') ? addCard(again) : null),
    ),
  )
}

function listCard(items, again) {
  const told = h('div', {})
  const end = async ({ id }) => {
    const reason = prompt('Why does it end? The reason is kept with it.')
    if (reason === null || reason.trim() === '') return
    try {
      await ask(`/api/v1/restrictions/${id}/end`, { method: 'POST', json: { reason: reason.trim() } })
      say('Ended.')
      await again()
    } catch (error) {
      fill(told, problem(error))
    }
  }
  return h(
    'section',
    { class: 'card flush' },
    told,
    items.length === 0
      ? h('div', { class: 'empty' }, h('h2', {}, 'Nothing is restricted'))
      : table(
          [{ title: 'Patient' }, { title: 'Kind' }, { title: 'Since' }, { title: '' }],
          items.map((item) => ({
            cells: [
              h('a', { class: 'mono small', href: `#/patient/${item.patientId}` }, item.patientId.slice(0, 12)),
              [item.kind, h('div', { class: 'quiet small' }, item.reason)],
              [
                instant(item.time),
                h('div', { class: 'quiet small' }, item.by, item.until ? `, until ${instant(item.until)}` : ''),
              ],
              may('identity.decide') ? h('button', { type: 'button', onclick: () => end(item) }, 'End it') : null,
            ],
          })),
        ),
  )
}

function glassList(items) {
  if (!may('audit.read')) return null
  return h(
    'section',
    { class: 'card flush' },
    items.length === 0
      ? h('div', { class: 'empty' }, h('h2', {}, 'No glass was broken'))
      : table(
          [{ title: 'Who' }, { title: 'Patient' }, { title: 'Why' }, { title: 'Open' }],
          items.map(({ who, patientId, reason, time, until, ended }) => ({
            cells: [
              who,
              h('span', { class: 'mono small' }, patientId.slice(0, 12)),
              reason,
              [
                instant(time),
                h('div', { class: 'quiet small' }, ended ? `closed ${instant(ended)}` : `until ${instant(until)}`),
              ],
            ],
          })),
        ),
  )
}

function patientFields() {
  const id = h('input', { name: 'id', required: true, maxlength: 1000 })
  const issuer = h('input', { name: 'issuer', maxlength: 1000 })
  return {
    fields: [h('label', {}, 'Patient ID', id), h('label', {}, 'Issuer', issuer)],
    patient: () => ({ issuer: issuer.value.trim(), id: id.value.trim() }),
  }
}

function form(title, hint, fields, button, send) {
  const told = h('div', {})
  const submit = async (event) => {
    event.preventDefault()
    try {
      await send(told)
    } catch (error) {
      fill(told, problem(error))
    }
  }
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, title),
    h('p', { class: 'quiet small' }, hint),
    told,
    h('form', { onsubmit: submit }, fields, h('div', { class: 'row' }, h('button', { class: 'primary' }, button))),
  )
}

function breakCard(again) {
  const { fields, patient } = patientFields()
  const reason = h('textarea', { name: 'reason', required: true, maxlength: 2000 })
  const minutes = h('input', { name: 'minutes', type: 'number', min: 1, max: 480, value: 60 })
  return form(
    'Break the glass',
    'For an emergency. It opens the record to you for a time, raises an alert, and every look is told.',
    [fields, h('label', {}, 'Reason', reason), h('label', {}, 'Minutes', minutes)],
    'Open the record',
    async () => {
      const json = { patient: patient(), reason: reason.value.trim(), minutes: Number(minutes.value) }
      const { until } = await ask('/api/v1/break-glass', { method: 'POST', json })
      say(`Open until ${instant(until)}.`)
      if (may('audit.read')) await again()
      else location.hash = '#/patients'
    },
  )
}

function addCard(again) {
  const { fields, patient } = patientFields()
  const reason = h('textarea', { name: 'why', required: true, maxlength: 2000 })
  const kind = h(
    'select',
    { name: 'kind' },
    Object.entries(KINDS).map(([value, title]) => h('option', { value }, title)),
  )
  return form(
    'Restrict a record',
    'By consent, by confidentiality, or watched. It follows the person through merges.',
    [fields, h('label', {}, 'Kind', kind), h('label', {}, 'Reason', reason)],
    'Restrict',
    async () => {
      const json = { patient: patient(), kind: kind.value, reason: reason.value.trim() }
      await ask('/api/v1/restrictions', { method: 'POST', json })
      say('Restricted.')
      await again()
    },
  )
}
