import type { Order, PatientKey, PerformedStep } from '#model/identity.ts'
import type { Database } from './database.ts'
import { type EntryStore, orderSubject, stepSubject } from './ledger-entries.ts'

/** Orders and performed steps as the last decision in force left them. Writer only. */
export interface LedgerOrders {
  refreshOrder(id: string, patientOf: (key: PatientKey) => number): void
  refreshStep(sopInstanceUID: string): void
}

export function createLedgerOrders(db: Database, entries: EntryStore): LedgerOrders {
  function removeOrder(id: string): void {
    const row = db.get<{ key: number }>('select key from imaging_order where id = ?', id)
    if (row === undefined) return
    db.run('delete from order_step where imaging_order = ?', row.key)
    db.run('delete from imaging_order where key = ?', row.key)
  }

  return {
    refreshOrder(id, patientOf) {
      let order: Order | undefined
      for (const { decision } of entries.inForce(orderSubject(id))) {
        if (decision.do === 'order') order = decision.order
      }
      if (order === undefined) {
        removeOrder(id)
        return
      }
      const starts = order.steps.map(({ startDate, startTime }) => `${startDate ?? ''}${startTime ?? ''}`)
      const start = starts.filter((text) => text !== '').sort()[0] ?? ''
      const row = db.get<{ key: number }>(
        `insert into imaging_order (id, patient, accession, study, status, start, body) values (?, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set patient = excluded.patient, accession = excluded.accession,
           study = excluded.study, status = excluded.status, start = excluded.start, body = excluded.body
         returning key`,
        ...[id, patientOf(order.patient), order.accessionNumber ?? '', order.studyInstanceUID, order.status, start],
        JSON.stringify(order),
      )
      if (row === undefined) throw new RangeError(`order ${id} was not kept`)
      db.run('delete from order_step where imaging_order = ?', row.key)
      for (const [position, step] of order.steps.entries()) {
        db.run(
          `insert into order_step (imaging_order, position, id, date, time, modality, station)
           values (?, ?, ?, ?, ?, ?, ?)`,
          ...[row.key, position, step.id, step.startDate ?? '', step.startTime ?? '', step.modality ?? ''],
          step.stationAeTitle ?? '',
        )
      }
    },

    refreshStep(sopInstanceUID) {
      let step: PerformedStep | undefined
      for (const { decision } of entries.inForce(stepSubject(sopInstanceUID))) {
        if (decision.do === 'perform') step = decision.step
      }
      if (step === undefined) {
        db.run('delete from performed_step where uid = ?', sopInstanceUID)
        return
      }
      db.run(
        'insert or replace into performed_step (uid, imaging_order, status, body) values (?, ?, ?, ?)',
        ...[sopInstanceUID, step.orderId, step.status, JSON.stringify(step)],
      )
    },
  }
}
