import type { Migration } from '../migrate.ts'

/** Surveys and what they found. Not in the journal: a survey can be made again, what was mended is journalled. */
export const surveys: Migration = {
  number: 18,
  name: 'surveys',
  sqlite: [
    `create table survey (
      key integer primary key autoincrement, state text not null, by text not null, started text not null, finished text,
      policy integer not null, phase text not null default 'studies', after integer not null default 0,
      looked integer not null default 0, total integer not null, objects integer not null default 0,
      findings integer not null default 0)`,
    `create table survey_finding (
      key integer primary key, survey integer not null references survey(key) on delete cascade, object text not null,
      study text, rule text not null, effect text not null, says text not null, score real not null, why text not null,
      state text not null, decision text, error text, by text, reason text)`,
    'create index survey_finding_rule on survey_finding(survey, rule, effect, state)',
    "create index survey_finding_asked on survey_finding(survey, key) where state = 'asked'",
  ],
}
