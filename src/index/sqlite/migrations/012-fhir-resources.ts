import type { Migration } from '../migrate.ts'

/** FHIR resources that are their own truth: the newest state, the former ones, and the values they are found by. */
export const fhirResources: Migration = {
  number: 12,
  name: 'fhir-resources',
  sqlite: [
    `create table fhir_resource (
      key integer primary key autoincrement, type text not null, id text not null, version integer not null,
      updated text not null, by text not null, body text)`,
    'create unique index fhir_resource_id on fhir_resource(type, id)',
    `create table fhir_version (
      resource integer not null references fhir_resource(key), version integer not null, updated text not null,
      by text not null, body text, primary key (resource, version)) without rowid`,
    // kind: 0 token, 1 folded text, 2 reference.
    `create table fhir_value (
      type text not null, code text not null, kind integer not null, value text not null, system text not null,
      resource integer not null, primary key (type, code, kind, value, system, resource)) without rowid`,
    'create index fhir_value_of on fhir_value(resource)',
  ],
}
