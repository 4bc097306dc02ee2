#!/bin/sh
# embed.sh FILE.sql...: the migrations as C on standard output, for db/migrate.c. They must be
# numbered 0001, 0002 … without a gap.
set -eu
rows=
number=0
for file in "$@"; do
    number=$((number + 1))
    name=$(basename "$file" .sql)
    case $name in
    "$(printf %04d "$number")"_*) ;;
    *) echo "$file: expected number $(printf %04d "$number")" >&2 && exit 1 ;;
    esac
    echo "static const unsigned char sql_$name[] = {"
    od -An -v -tx1 "$file" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo "0x00};"
    rows="$rows{\"$name\", sql_$name},
"
done
printf 'static const struct migration migrations[] = {\n%s};\n' "$rows"
