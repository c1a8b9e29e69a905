import { bringIn } from './bring-in.js'
import { documentPage, documentsPage } from './documents.js'
import { fill, h, problem } from './dom.js'
import { importItemPage, importWorklistPage } from './import-worklist.js'
import { objectPage } from './object.js'
import { patientPage } from './patient.js'
import { placedPage, placementPage } from './placement.js'
import { heldPage, quarantinePage } from './quarantine.js'
import { restrictedPage, treats } from './restricted.js'
import { accountMenu, entitle, may, session, setupPage, signInPage, startSession } from './session.js'
import { studiesPage } from './studies.js'
import { studyPage } from './study.js'

/** Pages by the first word of the address. `needs`: the right without which the page is not offered. */
const PAGES = {
  '': { title: 'Studies', nav: true, needs: 'object.read', show: studiesPage },
  patients: { title: 'Patients', nav: true, needs: 'object.read', show: studiesPage },
  patient: { title: 'Patient', needs: 'object.read', show: patientPage },
  study: { title: 'Study', needs: 'object.read', show: studyPage },
  documents: { title: 'Documents', nav: true, needs: 'document.read', show: documentsPage },
  document: { title: 'Document', needs: 'document.read', show: documentPage },
  object: { title: 'Object', needs: 'object.read', show: objectPage },
  'bring-in': { title: 'Bring in', nav: true, needs: 'object.store', show: bringIn },
  quarantine: { title: 'Quarantine', nav: true, needs: 'quarantine.read', show: quarantinePage },
  'import-worklist': { title: 'Import worklist', nav: true, needs: 'identity.read', show: importWorklistPage },
  'import-item': { title: 'Whose study', needs: 'identity.read', show: importItemPage },
  placement: { title: 'Places', nav: true, needs: 'placement.decide', show: placementPage },
  placed: { title: 'Why is this here', needs: 'placement.decide', show: placedPage },
  restricted: {
    title: 'Restricted',
    nav: true,
    needs: 'object.read',
    offered: () => treats() || may('identity.decide'),
    show: restrictedPage,
  },
  held: { title: 'Held', needs: 'quarantine.read', show: heldPage },
}

const main = document.getElementById('main')
const nav = document.getElementById('nav')
const account = document.getElementById('account')
const banner = document.getElementById('banner')
const site = document.getElementById('site')

/** The page that is shown; a later one makes answers to an earlier one void. */
let turn = 0

async function show() {
  turn += 1
  const mine = turn
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?')
  const [word = '', ...rest] = path.split('/').map(decodeURIComponent)
  const place = { rest, query: new URLSearchParams(query), current: () => mine === turn }
  if (session.subject === null) {
    drawFrame(null)
    if (word === 'setup' || session.setupNeeded) return setupPage(main, place)
    return signInPage(main)
  }
  const page = PAGES[word] ?? null
  drawFrame(word)
  entitle(page === null ? 'Not here' : page.title)
  if (page === null) {
    fill(
      main,
      h('div', { class: 'card empty' }, h('h1', {}, 'There is no such page'), h('a', { href: '#/' }, 'To the studies')),
    )
    return
  }
  if (!may(page.needs)) {
    const other = Object.entries(PAGES).find(([, { nav: listed, needs }]) => listed && may(needs))
    if (word === '' && other !== undefined) {
      location.replace(`#/${other[0]}`)
      return
    }
    fill(main, h('div', { class: 'card empty' }, h('h1', {}, 'Your role does not include this')))
    return
  }
  try {
    await page.show(main, place)
  } catch (error) {
    if (mine === turn && session.subject !== null) fill(main, problem(error))
  }
  if (mine === turn && document.activeElement === document.body) main.focus({ preventScroll: true })
}

function drawFrame(word) {
  const here =
    {
      patient: 'patients',
      study: '',
      object: '',
      document: 'documents',
      held: 'quarantine',
      placed: 'placement',
      'import-item': 'import-worklist',
    }[word] ?? word
  nav.hidden = word === null
  fill(
    nav,
    Object.entries(PAGES)
      .filter(([, page]) => page.nav && session.subject !== null && may(page.needs) && page.offered?.() !== false)
      .map(([name, { title }]) => h('a', { href: `#/${name}`, 'aria-current': name === here ? 'page' : null }, title)),
  )
  fill(site, session.site)
  fill(account, session.subject === null ? null : accountMenu())
  banner.hidden = session.subject?.kind !== 'open'
  fill(banner, 'Open mode: everybody on this machine may do everything. For trying out only.')
}

addEventListener('hashchange', show)
addEventListener('signed-in', show)
addEventListener('signed-out', () => {
  if (session.subject === null) return
  session.subject = null
  show()
})

fill(main, h('p', { class: 'quiet loading' }, 'Opening the archive'))
try {
  await startSession()
  await show()
} catch (error) {
  fill(main, problem(error))
}
