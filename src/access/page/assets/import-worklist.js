import { ask } from './api.js'
import { day, fill, growing, h, instant, issued, person, problem, say, table } from './dom.js'
import { may } from './session.js'
import { facts } from './study.js'

const STATES = { open: 'Waiting', decided: 'Decided' }
const WORDS = { local: 'ours', coerced: 'assigned', waiting: 'waiting', foreign: 'foreign' }
const CHIP = { local: 'good', coerced: 'good', waiting: 'warn', foreign: '' }

/** Studies whose patient is not certain. */
export async function importWorklistPage(main, place) {
  const state = place.rest[0] && place.rest[0] in STATES ? place.rest[0] : 'open'
  const page = await ask(`/api/v1/import-worklist?state=${state}&limit=100`)
  if (!place.current()) return
  const box = h('section', { class: 'card flush' })
  const view = (shown) => (shown.length === 0 ? nothing(state) : table(COLUMNS, shown.map(itemRow)))
  growing(box, page, place, view, (next) =>
    ask(`/api/v1/import-worklist?state=${state}&limit=100&cursor=${encodeURIComponent(next)}`),
  )
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Import worklist'),
      h(
        'p',
        { class: 'quiet' },
        'Studies that could be of a patient we know. Nothing is guessed: a person says whose.',
      ),
      h(
        'div',
        { class: 'tabs' },
        Object.entries(STATES).map(([name, title]) =>
          h('a', { href: `#/import-worklist/${name}`, 'aria-current': name === state ? 'true' : null }, title),
        ),
      ),
    ),
    box,
  )
}

function nothing(state) {
  const [title, text] =
    state === 'open'
      ? [
          'Nothing waits',
          'Studies from discs and unscheduled exams appear here when they resemble a patient or an order.',
        ]
      : ['Nothing was decided', 'Decisions, also those made by rule, stay listed here and can be taken back.']
  return h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, text))
}

const COLUMNS = [{ title: 'Arrived as' }, { title: 'Exam' }, { title: 'Best candidate' }, { title: 'Why' }]

function itemRow(item) {
  const href = `#/import-item/${encodeURIComponent(item.id)}`
  const { arrivedAs: as } = item
  const [best] = item.candidates
  return {
    href,
    cells: [
      [
        h('a', { href }, person(as.name) || as.id || 'No name'),
        h('div', { class: 'quiet small' }, day(as.birthDate), ' ', as.id),
      ],
      [as.modalities.join(' '), ' ', day(as.studyDate), h('div', { class: 'quiet small' }, as.description ?? '')],
      best
        ? [
            person(best.patient.demographics.name),
            h(
              'div',
              { class: 'quiet small' },
              `${issued(best.patient.issuer)} ${best.patient.id}, ${best.score} of 100`,
            ),
          ]
        : h('span', { class: 'quiet' }, '\u2013'),
      [h('span', { class: `chip ${CHIP[item.reconciliation]}` }, WORDS[item.reconciliation]), ` ${item.why}`],
    ],
  }
}

/** One study: as it arrived, beside everybody it could be of. */
export async function importItemPage(main, place) {
  const item = await ask(`/api/v1/import-worklist/${encodeURIComponent(place.rest[0] ?? '')}`)
  if (place.current()) draw(main, item)
}

function draw(main, item) {
  const decides = may('identity.decide')
  const told = h('div', {})
  const reason = h('textarea', { name: 'reason', required: true, maxlength: 2000, 'aria-describedby': 'reason-hint' })
  const act = async (button, path, body, said) => {
    if (reason.value.trim() === '') {
      fill(told, problem(new Error('Say why first: the reason is kept with the decision.')))
      reason.focus()
      return
    }
    button.disabled = true
    try {
      const url = `/api/v1/import-worklist/${encodeURIComponent(item.id)}/${path}`
      const changed = await ask(url, { method: 'POST', json: { ...body, reason: reason.value.trim() } })
      say(said)
      draw(main, changed)
    } catch (error) {
      fill(told, problem(error))
      button.disabled = false
    }
  }
  const open = item.state === 'open'
  const give = (candidate, at) => (button) =>
    act(
      button,
      'decide',
      { action: 'assign', candidate: at },
      `Assigned to ${issued(candidate.patient.issuer)} ${candidate.patient.id}.`,
    )
  fill(
    main,
    h('p', { class: 'crumbs' }, h('a', { href: `#/import-worklist/${item.state}` }, 'Import worklist')),
    h(
      'div',
      { class: 'head' },
      h('h1', {}, open ? 'Whose study is this?' : `Decided: ${WORDS[item.reconciliation]}`),
      h('p', { class: 'quiet' }, item.why),
    ),
    h(
      'div',
      { class: 'two narrowable' },
      h(
        'div',
        {},
        item.candidates.length === 0
          ? h('section', { class: 'card' }, h('h2', {}, 'Nobody we know resembles this patient'))
          : item.candidates.map((candidate, at) =>
              candidateCard(candidate, open && decides ? give(candidate, at) : null),
            ),
      ),
      h('div', {}, arrivedCard(item), decisionCard(item, decides, { told, reason, act }), earlierCard(item)),
    ),
  )
}

function arrivedCard(item) {
  const { arrivedAs: as } = item
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Arrived as'),
    h(
      'dl',
      { class: 'facts' },
      facts([
        ['Name', person(as.name)],
        ['Born', day(as.birthDate)],
        ['Sex', as.sex ?? ''],
        ['Patient ID', as.id],
        ['Issuer', issued(as.issuer)],
        ['Accession', as.accessionNumber ?? ''],
        ['Exam', [as.modalities.join(' '), day(as.studyDate), as.description].filter(Boolean).join(' \u00b7 ')],
        ['From', [item.originator, item.medium].filter(Boolean).join(', ')],
        ['Study', h('a', { class: 'mono', href: `#/study/${item.studyInstanceUID}` }, item.studyInstanceUID)],
      ]),
    ),
  )
}

const MARK = { equal: 'good', similar: 'warn', different: 'bad', missing: '' }
const RESULT = { equal: 'equal', similar: 'similar', different: 'different', missing: 'says nothing' }
const CRITERIA = [
  { title: 'Criterion' },
  { title: 'Arrived' },
  { title: 'Known' },
  { title: '' },
  { title: 'Points', kind: 'number' },
]

function candidateCard({ patient, order, score, certain, criteria }, give) {
  const speaks = score > 0
  const button = h(
    'button',
    { type: 'button', class: speaks ? 'primary' : 'danger', onclick: () => give(button) },
    speaks ? 'It is this patient' : 'It is this patient all the same',
  )
  return h(
    'section',
    { class: 'card criteria' },
    h('h2', {}, person(patient.demographics.name) || `${issued(patient.issuer)} ${patient.id}`),
    h(
      'p',
      { class: 'quiet' },
      `${issued(patient.issuer)} ${patient.id} \u00b7 born ${day(patient.demographics.birthDate) || 'unknown'} \u00b7 ${score} of 100`,
      certain ? [' ', h('span', { class: 'chip good' }, 'proven')] : null,
    ),
    order === null
      ? h('p', { class: 'quiet small' }, 'No order fits.')
      : h(
          'p',
          { class: 'small' },
          `Order ${order.accessionNumber ?? order.id}: ${order.description ?? 'no description'}`,
        ),
    table(
      CRITERIA,
      criteria
        .filter(({ arrived, known }) => arrived !== null || known !== null)
        .map(({ name, arrived, known, result, score: points }) => ({
          cells: [
            name.replaceAll('-', ' '),
            shown(name, arrived),
            shown(name, known),
            h('span', { class: `chip ${MARK[result]}` }, RESULT[result]),
            String(points),
          ],
        })),
    ),
    give === null || speaks
      ? null
      : h('p', { class: 'problem small' }, 'As much speaks against this patient as for it.'),
    give === null ? null : button,
  )
}

function shown(name, text) {
  if (name === 'name') return person(text) || '\u2013'
  if (name.endsWith('-date')) return day(text) || '\u2013'
  if (name === 'study-uid' && text !== null) return h('span', { class: 'mono small' }, text)
  return text ?? '\u2013'
}

function decisionCard(item, decides, { told, reason, act }) {
  const { decision } = item
  const hint = h('p', { class: 'quiet small', id: 'reason-hint' }, 'Kept with the decision and in the audit trail.')
  const keep = h(
    'button',
    { type: 'button', onclick: () => act(keep, 'decide', { action: 'keep' }, 'Kept as it came.') },
    'None of them',
    h('span', {}, 'It stays under its own issuer, marked as foreign.'),
  )
  const undo = h(
    'button',
    { type: 'button', onclick: () => act(undo, 'undo', {}, 'Taken back.') },
    'Take it back',
    h('span', {}, 'Everything is as it was before the decision.'),
  )
  const ask = (title, button) =>
    decides
      ? h(
          'section',
          { class: 'card' },
          h('h2', {}, title),
          told,
          h('label', {}, 'Reason', reason),
          hint,
          h('div', { class: 'choice' }, button),
        )
      : null
  if (decision === null) return ask('Decide', keep)
  const whose = decision.patient === null ? '' : ` to ${issued(decision.patient.issuer)} ${decision.patient.id}`
  return [
    h(
      'section',
      { class: 'card' },
      h('h2', {}, 'Decision'),
      h('p', {}, h('strong', {}, `${decision.action}${whose}`), ` by ${decision.by}, ${instant(decision.time)}`),
      h('p', { class: 'quiet' }, decision.reason ?? ''),
    ),
    ask('Was it wrong?', undo),
  ]
}

function earlierCard({ earlier = [] }) {
  if (earlier.length === 0) return null
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Taken back'),
    earlier.map(({ action, by, time, undoneBy, undoneAt, undoReason }) =>
      h(
        'p',
        { class: 'small' },
        `${action} by ${by}, ${instant(time)}; taken back by ${undoneBy}, ${instant(undoneAt)}: ${undoReason ?? ''}`,
      ),
    ),
  )
}
