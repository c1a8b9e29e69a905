/** The state machine of the upper layer as data. PS3.8 section 9.2, tables 9-1 to 9-10. */

export const STATES = [
  'Sta1', // idle
  'Sta2', // transport connection open, awaiting A-ASSOCIATE-RQ
  'Sta3', // awaiting local A-ASSOCIATE response
  'Sta4', // awaiting transport connection to open
  'Sta5', // awaiting A-ASSOCIATE-AC or -RJ
  'Sta6', // association established
  'Sta7', // awaiting A-RELEASE-RP
  'Sta8', // awaiting local A-RELEASE response
  'Sta9', // release collision, requestor: awaiting local A-RELEASE response
  'Sta10', // release collision, acceptor: awaiting A-RELEASE-RP
  'Sta11', // release collision, requestor: awaiting A-RELEASE-RP
  'Sta12', // release collision, acceptor: awaiting local A-RELEASE response
  'Sta13', // awaiting transport connection to close
] as const
export type State = (typeof STATES)[number]

export const EVENTS = [
  'Evt1', // A-ASSOCIATE request (local user)
  'Evt2', // transport connection confirmed
  'Evt3', // A-ASSOCIATE-AC received
  'Evt4', // A-ASSOCIATE-RJ received
  'Evt5', // transport connection indication
  'Evt6', // A-ASSOCIATE-RQ received
  'Evt7', // A-ASSOCIATE response: accept (local user)
  'Evt8', // A-ASSOCIATE response: reject (local user)
  'Evt9', // P-DATA request (local user)
  'Evt10', // P-DATA-TF received
  'Evt11', // A-RELEASE request (local user)
  'Evt12', // A-RELEASE-RQ received
  'Evt13', // A-RELEASE-RP received
  'Evt14', // A-RELEASE response (local user)
  'Evt15', // A-ABORT request (local user)
  'Evt16', // A-ABORT received
  'Evt17', // transport connection closed
  'Evt18', // ARTIM expired
  'Evt19', // unrecognized or invalid PDU received
] as const
export type Event = (typeof EVENTS)[number]

/** Actions and the states they may lead to. Two only where the standard names two: AE-6 and AR-8. */
export const ACTIONS = {
  'AE-1': ['Sta4'], // open the transport connection
  'AE-2': ['Sta5'], // send A-ASSOCIATE-RQ
  'AE-3': ['Sta6'], // tell the user: accepted
  'AE-4': ['Sta1'], // tell the user: rejected; close
  'AE-5': ['Sta2'], // start ARTIM
  'AE-6': ['Sta3', 'Sta13'], // stop ARTIM; ask the user, or send A-ASSOCIATE-RJ and start ARTIM
  'AE-7': ['Sta6'], // send A-ASSOCIATE-AC
  'AE-8': ['Sta13'], // send A-ASSOCIATE-RJ and start ARTIM
  'DT-1': ['Sta6'], // send P-DATA-TF
  'DT-2': ['Sta6'], // hand P-DATA to the user
  'AR-1': ['Sta7'], // send A-RELEASE-RQ
  'AR-2': ['Sta8'], // tell the user: release asked for
  'AR-3': ['Sta1'], // tell the user: released; close
  'AR-4': ['Sta13'], // send A-RELEASE-RP and start ARTIM
  'AR-5': ['Sta1'], // stop ARTIM
  'AR-6': ['Sta7'], // hand P-DATA to the user
  'AR-7': ['Sta8'], // send P-DATA-TF
  'AR-8': ['Sta9', 'Sta10'], // release collision: requestor to Sta9, acceptor to Sta10
  'AR-9': ['Sta11'], // send A-RELEASE-RP
  'AR-10': ['Sta12'], // tell the user: released
  'AA-1': ['Sta13'], // send A-ABORT of the service user, start ARTIM
  'AA-2': ['Sta1'], // stop ARTIM, close
  'AA-3': ['Sta1'], // tell the user: aborted by the peer; close
  'AA-4': ['Sta1'], // tell the user: connection lost
  'AA-5': ['Sta1'], // stop ARTIM
  'AA-6': ['Sta13'], // ignore the PDU
  'AA-7': ['Sta13'], // send A-ABORT
  'AA-8': ['Sta13'], // send A-ABORT of the service provider, tell the user, start ARTIM
} as const satisfies Record<string, readonly State[]>
export type Action = keyof typeof ACTIONS

// One line per event; columns are Sta1 to Sta13, a dot where the standard has an empty cell.
const TABLE: Record<Event, string> = {
  //      Sta1 Sta2 Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 Sta10 Sta11 Sta12 Sta13
  Evt1: ' AE-1 .    .    .    .    .    .    .    .    .     .     .     .    ',
  Evt2: ' .    .    .    AE-2 .    .    .    .    .    .     .     .     .    ',
  Evt3: ' .    AA-1 AA-8 .    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6 ',
  Evt4: ' .    AA-1 AA-8 .    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6 ',
  Evt5: ' AE-5 .    .    .    .    .    .    .    .    .     .     .     .    ',
  Evt6: ' .    AE-6 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7 ',
  Evt7: ' .    .    AE-7 .    .    .    .    .    .    .     .     .     .    ',
  Evt8: ' .    .    AE-8 .    .    .    .    .    .    .     .     .     .    ',
  Evt9: ' .    .    .    .    .    DT-1 .    AR-7 .    .     .     .     .    ',
  Evt10: '.    AA-1 AA-8 .    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6 ',
  Evt11: '.    .    .    .    .    AR-1 .    .    .    .     .     .     .    ',
  Evt12: '.    AA-1 AA-8 .    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6 ',
  Evt13: '.    AA-1 AA-8 .    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3  AA-8  AA-6 ',
  Evt14: '.    .    .    .    .    .    .    AR-4 AR-9 .     .     AR-4  .    ',
  Evt15: '.    .    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1  AA-1  .    ',
  Evt16: '.    AA-2 AA-3 .    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3  AA-3  AA-2 ',
  Evt17: '.    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4  AA-4  AR-5 ',
  Evt18: '.    AA-2 .    .    .    .    .    .    .    .     .     .     AA-2 ',
  Evt19: '.    AA-1 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7 ',
}

const cells = new Map<Event, readonly (Action | undefined)[]>(
  EVENTS.map((event) => [
    event,
    TABLE[event]
      .trim()
      .split(/\s+/)
      .map((cell) => (cell in ACTIONS ? (cell as Action) : undefined)),
  ]),
)

const column = new Map<State, number>(STATES.map((state, index) => [state, index]))

/** What is to be done when the event happens in the state; undefined: the standard foresees no such pair. */
export function actionOf(state: State, event: Event): Action | undefined {
  return cells.get(event)?.[column.get(state) ?? -1]
}
