import type { Migration } from '../migrate.ts'

/** What is withheld of patients, and glass that was broken. Patients are named by their opaque ids. */
export const restrictions: Migration = {
  number: 22,
  name: 'restrictions',
  sqlite: [
    `create table patient_restriction (
      key integer primary key, patient text not null, kind text not null, level integer not null, reason text not null,
      by text not null, time text not null, until text, ended text, ended_by text, ended_reason text)`,
    'create index patient_restriction_patient on patient_restriction(patient, key desc)',
    'create index patient_restriction_open on patient_restriction(level) where ended is null',
    `create table break_glass (
      key integer primary key autoincrement, who text not null, patient text not null, reason text not null,
      time text not null, until text not null, address text, ended text)`,
    'create index break_glass_who on break_glass(who, until)',
  ],
}
