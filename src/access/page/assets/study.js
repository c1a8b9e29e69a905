import { ask, search, value } from './api.js'
import { day, fill, h, person, problem, say, table } from './dom.js'
import { ledgerCard } from './ledger.js'
import { may } from './session.js'

const SERIES_MAX = 200
const INSTANCES_PAGE = 100

/** One study: its series, and the objects of each when it is opened. */
export async function studyPage(main, place) {
  const [uid] = place.rest
  const [studies, series, decided] = await Promise.all([
    search('studies', new URLSearchParams({ StudyInstanceUID: uid, includefield: '00081030', limit: '1' })),
    search(`studies/${uid}/series`, new URLSearchParams({ includefield: '0008103E', limit: String(SERIES_MAX) })),
    may('identity.read') ? ask(`/api/v1/ledger?study=${encodeURIComponent(uid)}&limit=50`) : { items: [], next: null },
  ])
  if (!place.current()) return
  const [study] = studies
  if (study === undefined) {
    fill(
      main,
      h(
        'div',
        { class: 'card empty' },
        h('h1', {}, 'There is no such study'),
        h('a', { href: '#/' }, 'To the studies'),
      ),
    )
    return
  }
  const patient = await patientLink(study)
  if (!place.current()) return
  series.sort((a, b) => Number(value(a, '00200011')) - Number(value(b, '00200011')))
  fill(
    main,
    h('p', { class: 'crumbs' }, h('a', { href: '#/' }, 'Studies')),
    h(
      'div',
      { class: 'head' },
      h('h1', {}, person(value(study, '00100010')) || '(no name)'),
      h(
        'p',
        { class: 'quiet' },
        [value(study, '00100020'), day(value(study, '00100030')), value(study, '00100040')]
          .filter(Boolean)
          .join(' \u00b7 '),
        patient,
      ),
    ),
    h(
      'section',
      { class: 'card' },
      h(
        'dl',
        { class: 'facts' },
        facts([
          ['Study', value(study, '00081030')],
          ['Date', [day(value(study, '00080020')), time(value(study, '00080030'))].filter(Boolean).join(' ')],
          ['Accession number', value(study, '00080050')],
          ['Referring', person(value(study, '00080090'))],
          ['Study Instance UID', h('span', { class: 'mono' }, uid)],
        ]),
      ),
    ),
    ledgerCard(decided.items, decided.next !== null, async (text) => {
      say(text)
      await studyPage(main, place)
    }),
    h('h2', {}, series.length === SERIES_MAX ? `First ${SERIES_MAX} series` : `${series.length} series`),
    series.map((row, index) => seriesCard(uid, row, index === 0 && series.length === 1)),
  )
}

/** The way to everything of the patient: the page of that one where the number tells which, the list otherwise. */
async function patientLink(study) {
  const number = value(study, '00100020')
  if (number === '') return null
  const { items } = await ask(`/api/v1/patients?${new URLSearchParams({ identifier: number, limit: '2' })}`)
  const [only] = items
  if (only === undefined) return null
  const list = `#/patients?${new URLSearchParams({ id: number })}`
  const href = items.length === 1 ? `#/patient/${encodeURIComponent(only.id)}` : list
  return [' \u00b7 ', h('a', { href }, 'Everything of this patient')]
}

/** Rows of a list of facts; those without a value are left out. */
export function facts(rows) {
  return rows
    .filter(([, told]) => told !== '' && told !== null && told !== undefined)
    .map(([title, told]) => [h('dt', {}, title), h('dd', {}, told)])
}

function count(objects) {
  return objects === '1' ? ' 1 object' : ` ${objects} objects`
}

/** A DICOM time (TM) as 14:03. */
function time(text) {
  return /^\d{4}/.test(text) ? `${text.slice(0, 2)}:${text.slice(2, 4)}` : ''
}

function seriesCard(study, row, openAtOnce) {
  const uid = value(row, '0020000E')
  const body = h('div', {})
  const details = h(
    'details',
    { class: 'card flush' },
    h(
      'summary',
      {},
      h('span', { class: 'chip' }, value(row, '00080060') || '?'),
      ` ${value(row, '00200011') || '\u2013'}  ${value(row, '0008103E') || '(no description)'} `,
      h('span', { class: 'quiet small' }, count(value(row, '00201209'))),
    ),
    body,
  )
  details.addEventListener('toggle', () => {
    if (details.open && body.childElementCount === 0) instances(study, uid, body)
  })
  details.open = openAtOnce
  return details
}

async function instances(study, series, body) {
  const shown = []
  const query = new URLSearchParams({ includefield: '00280008', limit: String(INSTANCES_PAGE + 1) })
  const next = async () => {
    query.set('offset', String(shown.length))
    try {
      const page = await search(`studies/${study}/series/${series}/instances`, query)
      shown.push(...page.slice(0, INSTANCES_PAGE))
      fill(
        body,
        table(
          [{ title: 'No.', kind: 'number' }, { title: 'Object' }, { title: 'Size' }, { title: '' }],
          shown.map((row) => instanceRow(study, series, row)),
        ),
        page.length > INSTANCES_PAGE
          ? h('div', { class: 'more' }, h('button', { type: 'button', onclick: next }, 'Show more'))
          : null,
      )
    } catch (error) {
      fill(body, problem(error))
    }
  }
  fill(body, h('p', { class: 'quiet loading' }, 'Loading'))
  await next()
}

function instanceRow(study, series, row) {
  const uid = value(row, '00080018')
  const rows = value(row, '00280010')
  const frames = value(row, '00280008')
  const extent = rows ? `${value(row, '00280011')} \u00d7 ${rows}` : ''
  return {
    href: `#/object/${uid}?study=${study}`,
    cells: [
      value(row, '00200013'),
      h('a', { href: `#/object/${uid}?study=${study}`, class: 'mono' }, uid),
      [extent, frames && frames !== '1' ? ` \u00d7 ${frames} frames` : ''],
      h(
        'a',
        {
          href: `/dicom-web/studies/${study}/series/${series}/instances/${uid}?accept=application/dicom`,
          download: `${uid}.dcm`,
          class: 'small',
        },
        'Download',
      ),
    ],
  }
}
