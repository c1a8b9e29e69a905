import type { Migration } from '../migrate.ts'

/** Accounts, sessions, tokens, audit chain, site settings, originators. design.md sections 7 and 8. */
export const security: Migration = {
  number: 2,
  name: 'security',
  sqlite: [
    `create table account (
      name text primary key not null,
      display_name text not null,
      role text not null,
      password_hash text not null,
      created_at text not null,
      created_by text not null,
      password_changed_at text not null,
      disabled_at text
    ) strict, without rowid`,
    `create table setup (
      id integer primary key check (id = 1),
      token_hash blob,
      created_at text not null,
      completed_at text
    ) strict`,
    `create table session (
      token_hash blob primary key not null,
      account text not null references account(name) on delete cascade,
      created_at integer not null,
      seen_at integer not null,
      expires_at integer not null,
      address text
    ) strict, without rowid`,
    'create index session_account on session(account)',
    'create index session_expiry on session(expires_at)',
    `create table token (
      id text primary key not null,
      secret_hash blob not null,
      name text not null,
      role text not null,
      scopes text not null,
      patients text,
      created_at text not null,
      created_by text not null,
      expires_at text,
      revoked_at text,
      revoked_by text
    ) strict, without rowid`,
    `create table audit (
      node text not null,
      sequence integer not null,
      time text not null,
      kind text not null,
      outcome text not null,
      who text not null,
      study text,
      patient text,
      entry text not null,
      hash blob not null,
      primary key (node, sequence)
    ) strict, without rowid`,
    'create index audit_time on audit(time, node, sequence)',
    'create index audit_who on audit(who, time)',
    'create index audit_study on audit(study, time) where study is not null',
    `create trigger audit_is_append_only_u before update on audit
      begin select raise(abort, 'the audit trail is append-only'); end`,
    `create trigger audit_is_append_only_d before delete on audit
      begin select raise(abort, 'the audit trail is append-only'); end`,
    `create table setting (
      version integer primary key autoincrement,
      key text not null,
      value text,
      by text not null,
      time text not null
    ) strict`,
    'create index setting_key on setting(key, version)',
    `create table originator (
      version integer primary key autoincrement,
      name text not null,
      value text,
      by text not null,
      time text not null
    ) strict`,
    'create index originator_name on originator(name, version)',
  ],
}
