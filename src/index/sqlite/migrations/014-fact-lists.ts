import type { Migration } from '../migrate.ts'

/** The facts of an object as one row, `[family, name, value, detail]` each; the view has them as rows. */
export const factLists: Migration = {
  number: 14,
  name: 'fact-lists',
  sqlite: [
    'create table fact_list (object integer primary key, list text not null)',
    `insert into fact_list select object, json_group_array(json_array(family, name, value, detail) order by position)
     from fact group by object`,
    'drop table fact',
    `create view fact as select l.object, e.key as position, e.value ->> 0 as family, e.value ->> 1 as name,
     e.value ->> 2 as value, e.value ->> 3 as detail from fact_list l, json_each(l.list) e`,
  ],
}
