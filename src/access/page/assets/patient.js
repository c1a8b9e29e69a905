import { ask } from './api.js'
import { kindChip } from './documents.js'
import { day, fill, h, person, say, table } from './dom.js'
import { ledgerCard, send, shown } from './ledger.js'
import { may } from './session.js'
import { facts } from './study.js'

const AUTHORITY = { adt: 'The hospital', person: 'A person here', object: 'Only what images say' }

/** Everything of one patient: who it is and was, what was decided about it, and its studies, newest first. */
export async function patientPage(main, place) {
  const [id] = place.rest
  const missing = (error) => {
    if (error.status === 404) return null
    throw error
  }
  const [timeline, patient] = await Promise.all([
    ask(`/api/v1/patients/${encodeURIComponent(id)}/timeline`).catch(missing),
    may('identity.read') ? ask(`/api/v1/patients/${encodeURIComponent(id)}`).catch(missing) : null,
  ])
  if (!place.current()) return
  if (timeline === null && patient === null) throw new Error('There is no such patient.')
  draw(main, place, timeline?.items ?? [], patient)
}

function draw(main, place, items, patient) {
  const name = patient === null ? place.query.get('name') : person(patient.name)
  const number = patient === null ? place.query.get('number') : shown(patient)
  const again = async (text) => {
    say(text)
    await patientPage(main, place)
  }
  fill(
    main,
    h('p', { class: 'crumbs' }, h('a', { href: '#/patients' }, 'Patients')),
    h('div', { class: 'head' }, h('h1', {}, name || 'Patient'), h('p', { class: 'quiet' }, number ?? '')),
    patient === null ? null : mergedBanner(patient),
    patient === null
      ? studies(items)
      : h(
          'div',
          { class: 'two' },
          h('div', {}, studies(items), ledgerCard(patient.entries, patient.moreEntries, again)),
          h('div', {}, identity(patient), may('identity.decide') ? decisions(patient, again) : null),
        ),
  )
}

function studies(items) {
  if (items.length === 0) return h('section', { class: 'card empty' }, h('p', {}, 'Nothing is kept under this number.'))
  return h(
    'section',
    { class: 'card flush' },
    table(
      [
        { title: 'Date' },
        { title: 'Kind' },
        { title: 'Study or document' },
        { title: 'Accession or specialty' },
        { title: 'Series', kind: 'number' },
        { title: 'Objects', kind: 'number' },
      ],
      items.map((item) => (item.kind === 'document' ? documentRow(item) : studyRow(item))),
    ),
  )
}

function documentRow(item) {
  const href = `#/document/${item.id}`
  return {
    href,
    cells: [
      h('a', { href, class: 'nowrap' }, day(item.date) || '(no date)'),
      kindChip(item.documentKind),
      [
        item.title ?? item.type ?? 'Document',
        item.title && item.type ? h('div', { class: 'quiet small' }, item.type) : null,
      ],
      item.specialty ?? item.department ?? '',
      '',
      '',
    ],
  }
}

function studyRow(item) {
  return {
    href: `#/study/${item.studyInstanceUID}`,
    cells: [
      h('a', { href: `#/study/${item.studyInstanceUID}`, class: 'nowrap' }, day(item.date) || '(no date)'),
      item.modalities.map((modality) => h('span', { class: 'chip' }, modality)),
      item.description ?? h('span', { class: 'quiet' }, '\u2013'),
      item.accessionNumber ?? '',
      String(item.series),
      String(item.instances),
    ],
  }
}

function keys(list) {
  return list.length === 0 ? '' : list.map((key) => h('div', {}, shown(key)))
}

function isMerged({ mergedInto, issuer, identifier }) {
  return mergedInto !== null && (mergedInto.id !== identifier || mergedInto.issuer !== issuer)
}

function mergedBanner(patient) {
  if (!isMerged(patient)) return null
  const { survivor } = patient
  return h(
    'section',
    { class: 'card' },
    h('span', { class: 'chip warn' }, 'Merged'),
    ` This number was folded into ${shown(patient.mergedInto)}. The studies are under `,
    h('a', { href: `#/patients?${new URLSearchParams({ id: survivor.id })}` }, shown(survivor)),
    '.',
  )
}

function identity(patient) {
  const numbers = patient.aliases.filter(({ id, issuer }) => id !== patient.identifier || issuer !== patient.issuer)
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Who it is'),
    h(
      'dl',
      { class: 'facts' },
      facts([
        ['Born', day(patient.birthDate)],
        ['Sex', patient.sex ?? ''],
        ['Address', patient.address ?? ''],
        ['Says so', AUTHORITY[patient.authority] ?? patient.authority],
        ['Also known as', keys(numbers)],
        ['Linked with', keys(patient.linked)],
        [
          'Visits',
          patient.visits.length === 0
            ? ''
            : patient.visits.map(({ admissionId, status, location: where }) =>
                h('div', {}, [admissionId, status, where].filter(Boolean).join(', ')),
              ),
        ],
      ]),
    ),
  )
}

function decisions(patient, again) {
  const told = h('div', {})
  const base = `/api/v1/patients/${encodeURIComponent(patient.id)}`
  const field = (name, title, attributes = {}) =>
    h('label', {}, title, h('input', { name, required: true, autocomplete: 'off', ...attributes }))
  const form = (title, fields, button, run) =>
    h(
      'details',
      {},
      h('summary', {}, title),
      h(
        'form',
        {
          class: 'stack',
          onsubmit: (event) => {
            event.preventDefault()
            run(Object.fromEntries(new FormData(event.currentTarget)))
          },
        },
        fields,
        field('reason', 'Reason', { maxlength: 2000 }),
        h('button', { type: 'submit', class: 'primary' }, button),
      ),
    )
  const otherFields = [field('id', 'Number of the other one'), field('issuer', 'Issued by', { value: patient.issuer })]
  const merged = isMerged(patient)
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Decide'),
    h(
      'p',
      { class: 'quiet small' },
      'What is stored stays as it is: a decision changes what is shown and sent, and can be taken back.',
    ),
    told,
    form(
      'Fix the name',
      [field('name', 'Name', { value: patient.name ?? '', placeholder: 'Family^Given' })],
      'Fix the name everywhere',
      ({ name, reason }) => send(`${base}/name`, { name, reason }, told, () => again('The name is fixed.')),
    ),
    merged
      ? form('Separate again', [], 'Take the merge back', ({ reason }) =>
          send(`${base}/unmerge`, { reason }, told, () => again('Separated again.')),
        )
      : form('Merge into another patient', otherFields, 'Merge', ({ id, issuer, reason }) =>
          send(`${base}/merge`, { into: { id, issuer }, reason }, told, () => again('Merged.')),
        ),
    form(
      'Link with another number',
      otherFields.map((label) => label.cloneNode(true)),
      'Link',
      ({ id, issuer, reason }) => send(`${base}/link`, { with: { id, issuer }, reason }, told, () => again('Linked.')),
    ),
  )
}
